-- name: decision_insert :many
insert into decision (interaction_id, position, text, user_id, sprint_id, work_item_id)
select $1, n, text, $3, $4, $5
  from unnest($2::text[]) with ordinality as d (text, n)
 order by n
returning id, text;

-- By time; those with the words of a query by how well they match.
-- name: decision_list :many sprint.v1.Decision :replan
select id::text, interaction_id, text, user_id, sprint_id, work_item_id, created_at
  from decision
 where ($1::text is null or search @@ (select query($1)))
   and ($2::text is null or user_id = $2)
   and ($3::text is null or sprint_id = $3)
   and ($4::date is null or created_at >= $4::date::timestamp at time zone 'UTC')
   and ($5::date is null or created_at < ($5::date + 1)::timestamp at time zone 'UTC')
 order by case when $1::text is not null then ts_rank(search, query($1)) end desc,
          created_at desc, decision.id desc
 limit $6 offset $7;

-- name: decision_count :one sprint.v1.ListDecisionsResponse :replan
select count(*)::int as total
  from decision
 where ($1::text is null or search @@ (select query($1)))
   and ($2::text is null or user_id = $2)
   and ($3::text is null or sprint_id = $3)
   and ($4::date is null or created_at >= $4::date::timestamp at time zone 'UTC')
   and ($5::date is null or created_at < ($5::date + 1)::timestamp at time zone 'UTC');
