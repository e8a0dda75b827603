-- What conversations linked with a sprint add to its retrospective.

-- name: retrospective_talk :one sprint.v1.RetrospectiveMetrics
select (select count(*) from interaction_link where sprint_id = $1)::int as interactions,
       (select count(*)
          from interaction_link l
          join decision d using (interaction_id)
         where l.sprint_id = $1)::int as decisions;

-- Each once, the newest conversation first.
-- name: retrospective_action_items :rows
select a.item
  from interaction_link l
  join interaction i on i.id = l.interaction_id,
       unnest(i.action_items) with ordinality as a (item, n)
 where l.sprint_id = $1
 group by a.item
 order by max(i.created_at) desc, min(a.n), a.item
 limit 20;
