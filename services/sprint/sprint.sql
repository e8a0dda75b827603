-- Velocity is frozen once a sprint is completed, until then it is the sum of what
-- is done; index work_item_done has it.

-- name: sprint_get :one sprint.v1.Sprint
select id, name, goal, start_date, end_date, status,
       case when status = 'completed' then coalesce(velocity, 0)
            else (select coalesce(sum(w.story_points), 0)::int from work_item w
                   where w.sprint_id = sprint.id and w.status = 'done')
       end as velocity,
       team_capacity, summary, retrospective, created_by, project_id, metadata, completed_at,
       created_at, updated_at
  from sprint
 where id = $1;

-- name: sprint_lock :one sprint.v1.Sprint
select id, name, goal, start_date, end_date, status,
       case when status = 'completed' then coalesce(velocity, 0)
            else (select coalesce(sum(w.story_points), 0)::int from work_item w
                   where w.sprint_id = sprint.id and w.status = 'done')
       end as velocity,
       team_capacity, summary, retrospective, created_by, project_id, metadata, completed_at,
       created_at, updated_at
  from sprint
 where id = $1
   for no key update;

-- Without the long texts.
-- name: sprint_list :many sprint.v1.Sprint :replan
with page as materialized (
  select id, name, goal, start_date, end_date, status, velocity, team_capacity, created_by,
         project_id, metadata, completed_at, created_at, updated_at
    from sprint
   where ($1::text is null or status = $1)
     and ($2::text is null or project_id = $2)
     and ($3::date is null or end_date >= $3)
     and ($4::date is null or start_date <= $4)
   order by updated_at desc, id
   limit $5 offset $6
)
select id, name, goal, start_date, end_date, status,
       case when status = 'completed' then coalesce(velocity, 0)
            else (select coalesce(sum(w.story_points), 0)::int from work_item w
                   where w.sprint_id = page.id and w.status = 'done')
       end as velocity,
       team_capacity, created_by, project_id, metadata, completed_at, created_at, updated_at
  from page
 order by updated_at desc, id;

-- name: sprint_count :one sprint.v1.ListSprintsResponse :replan
select count(*)::int as total
  from sprint
 where ($1::text is null or status = $1)
   and ($2::text is null or project_id = $2)
   and ($3::date is null or end_date >= $3)
   and ($4::date is null or start_date <= $4);

-- name: sprint_of_project :many sprint.v1.Sprint
with page as materialized (
  select id, name, goal, start_date, end_date, status, velocity, team_capacity, created_by,
         project_id, metadata, completed_at, created_at, updated_at
    from sprint
   where project_id = $1
   order by start_date desc, id
   limit $2
)
select id, name, goal, start_date, end_date, status,
       case when status = 'completed' then coalesce(velocity, 0)
            else (select coalesce(sum(w.story_points), 0)::int from work_item w
                   where w.sprint_id = page.id and w.status = 'done')
       end as velocity,
       team_capacity, created_by, project_id, metadata, completed_at, created_at, updated_at
  from page
 order by start_date desc, id;

-- The first of $1, $1-2, $1-3, … that is free.
-- name: sprint_free_id :text
with recursive tried (n, id) as (
  select 1, $1::text
  union all
  select n + 1, rtrim(left($1, 63 - length((n + 1)::text)), '-') || '-' || n + 1
    from tried
   where exists (select from sprint where sprint.id = tried.id)
)
select id from tried order by n desc limit 1;

-- name: sprint_slug :text
select slug_of($1, 'sprint');

-- No row when the id is taken.
-- name: sprint_insert :one sprint.v1.Sprint
insert into sprint (id, name, goal, start_date, end_date, status, velocity, team_capacity,
                    created_by, project_id, metadata, completed_at)
values ($1, $2, $3, $4, $5, $6, case when $6 = 'completed' then 0 end, $7, $8, $9, $10::jsonb, $11)
on conflict (id) do nothing
returning id, name, goal, start_date, end_date, status, coalesce(velocity, 0) as velocity,
          team_capacity, created_by, project_id, metadata, completed_at, created_at, updated_at;

-- name: sprint_update :exec
update sprint
   set name = $2, goal = $3, start_date = $4, end_date = $5, status = $6, velocity = $7,
       team_capacity = $8, summary = $9, retrospective = $10, project_id = $11,
       metadata = $12::jsonb, completed_at = $13,
       updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
 where id = $1;

-- Whose done items a sprint has; nobody's come without a user.
-- name: sprint_shares :many sprint.v1.SprintMember
select assignee as user_id, count(*)::int as done_items,
       coalesce(sum(story_points), 0)::int as done_points
  from work_item
 where sprint_id = $1 and status = 'done'
 group by assignee
 order by assignee nulls last;

-- name: sprint_items :many sprint.v1.WorkItem
select id, title, description, type, status, priority, story_points, sprint_id, project_id,
       assignee, reporter, labels, parent_id, due_date, completed_at, metadata, blocked_since,
       created_at, updated_at
  from work_item
 where sprint_id = $1
 order by array_position(array['backlog', 'todo', 'in_progress', 'review', 'done', 'cancelled'],
                         status),
          array_position(array['critical', 'high', 'medium', 'low'], priority), id
 limit $2;

-- name: sprint_by_status :many sprint.v1.StatusCount
select status, count(*)::int as count, coalesce(sum(story_points), 0)::int as points
  from work_item
 where sprint_id = $1
 group by status
 order by array_position(array['backlog', 'todo', 'in_progress', 'review', 'done', 'cancelled'],
                         status);
