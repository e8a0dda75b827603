-- What a conversation is linked with; n counts the mentions asked for.

-- name: link_items :many
select distinct on (m.n) m.n, w.id, w.sprint_id, w.project_id
  from unnest($1::text[], $2::text[]) with ordinality as m (id, plain, n)
  join work_item w on w.id in (m.id, m.plain)
 order by m.n, w.id <> m.id
 limit 50;

-- name: link_sprint :many
select id, project_id from sprint where id = $1;

-- The words joined by hyphens, else the first of them.
-- name: link_sprints :many
select distinct on (m.n) m.n, s.id, s.project_id
  from unnest($1::text[]) with ordinality as m (words, n)
  join sprint s on s.id in ('sprint-' || m.words, 'sprint-' || split_part(m.words, '-', 1))
 order by m.n, length(s.id) desc;

-- The latest sprint that has "sprint n" as words in its name.
-- name: link_sprints_named :many
select distinct on (m.n) m.n, s.id, s.project_id
  from unnest($1::text[]) with ordinality as m (number, n)
  join sprint s on numbers_of(s.name) @> array[m.number]
 order by m.n, s.start_date desc, s.id;

-- name: link_insert :exec
insert into interaction_link (interaction_id, sprint_id, work_item_id)
select $1, sprint_id, null from unnest($2::text[]) sprint_id
 union all
select $1, null, work_item_id from unnest($3::text[]) work_item_id;
