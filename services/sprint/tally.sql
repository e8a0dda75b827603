-- name: tally_total :text
select coalesce(sum(n), 0)::int
  from tally
 where noun = $1
   and ($2::text is null or status = $2)
   and ($3::text is null or type = $3)
   and ($4::text is null or priority = $4);

-- name: tally_entities :one sprint.v1.CountEntitiesResponse
select coalesce(sum(n) filter (where noun = 'project'), 0)::int as projects,
       coalesce(sum(n) filter (where noun = 'sprint'), 0)::int as sprints,
       coalesce(sum(n) filter (where noun = 'work_item'), 0)::int as work_items
  from tally;
