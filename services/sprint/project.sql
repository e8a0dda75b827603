-- name: project_get :one sprint.v1.Project
select id, key, name, description, status, owner_id, color, metadata, created_at, updated_at
  from project
 where id = $1;

-- name: project_lock :one sprint.v1.Project
select id, key, name, description, status, owner_id, color, metadata, created_at, updated_at
  from project
 where id = $1
   for no key update;

-- Waits for those who are about to refer to the project, and keeps others away.
-- name: project_claim :one sprint.v1.Project
select id, key, name, description, status, owner_id, color, metadata, created_at, updated_at
  from project
 where id = $1
   for update;

-- name: project_list :many sprint.v1.Project :replan
select id, key, name, description, status, owner_id, color, metadata, created_at, updated_at
  from project
 where $1::text is null or status = $1
 order by updated_at desc, id
 limit $2 offset $3;

-- The first of $1, $1-2, $1-3, … that is free.
-- name: project_free_id :text
with recursive tried (n, id) as (
  select 1, $1::text
  union all
  select n + 1, rtrim(left($1, 63 - length((n + 1)::text)), '-') || '-' || n + 1
    from tried
   where exists (select from project where project.id = tried.id)
)
select id from tried order by n desc limit 1;

-- name: project_slug :text
select slug_of($1, 'project');

-- No row when the id is taken.
-- name: project_insert :one sprint.v1.Project
insert into project (id, key, name, description, status, owner_id, color, metadata)
values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)
on conflict (id) do nothing
returning id, key, name, description, status, owner_id, color, metadata, created_at, updated_at;

-- name: project_update :one sprint.v1.Project
update project
   set key = $2, name = $3, description = $4, status = $5, owner_id = $6, color = $7,
       metadata = $8::jsonb,
       updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
 where id = $1
returning id, key, name, description, status, owner_id, color, metadata, created_at, updated_at;

-- name: project_items :one sprint.v1.ItemCounts
select count(*)::int as total,
       count(*) filter (where status = 'done')::int as done,
       count(*) filter (where status not in ('done', 'cancelled'))::int as open
  from work_item
 where project_id = $1;

-- name: project_sprints_total :one sprint.v1.GetProjectResponse
select count(*)::int as sprints_total from sprint where project_id = $1;

-- What stays without the project is journaled as any other change.
-- name: project_detach_items :exec
with left_over as (
  update work_item
     set project_id = null,
         updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
   where project_id = $1
  returning id, updated_at
)
insert into work_item_change (work_item_id, at, actor, field, old_value, new_value)
select id, updated_at, $2, 'project_id', $1, null from left_over;

-- name: project_detach_sprints :exec
update sprint
   set project_id = null,
       updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
 where project_id = $1;

-- Items of other projects that lose their sprint or their parent with this one.
-- name: project_orphan_items :exec
with lost as (
  select w.id, w.sprint_id, w.parent_id,
         s.id is not null as without_sprint, p.id is not null as without_parent
    from work_item w
    left join sprint s on s.id = w.sprint_id and s.project_id = $1
    left join work_item p on p.id = w.parent_id and p.project_id = $1
   where w.id in (select i.id from sprint o join work_item i on i.sprint_id = o.id
                   where o.project_id = $1
                  union
                  select c.id from work_item o join work_item c on c.parent_id = o.id
                   where o.project_id = $1)
     and w.project_id is distinct from $1
), left_over as (
  update work_item w
     set sprint_id = case when not without_sprint then w.sprint_id end,
         parent_id = case when not without_parent then w.parent_id end,
         updated_at = greatest(clock_timestamp(), w.updated_at + interval '1 millisecond')
    from lost
   where w.id = lost.id
  returning w.id, w.updated_at, lost.sprint_id, lost.parent_id, without_sprint, without_parent
)
insert into work_item_change (work_item_id, at, actor, field, old_value, new_value)
select id, updated_at, $2::text, 'sprint_id', sprint_id, null from left_over where without_sprint
union all
select id, updated_at, $2, 'parent_id', parent_id, null from left_over where without_parent;

-- name: project_delete_items :rows
delete from work_item
 where id in (select id from work_item where project_id = $1 limit $2)
returning id, sprint_id, status;

-- name: project_delete_sprints :rows
delete from sprint
 where id in (select id from sprint where project_id = $1 limit $2)
returning id, status;

-- name: project_delete :exec
delete from project where id = $1;
