-- name: work_item_get :one sprint.v1.WorkItem
select id, title, description, type, status, priority, story_points, sprint_id, project_id,
       assignee, reporter, labels, parent_id, due_date, completed_at, metadata, blocked_since,
       created_at, updated_at
  from work_item
 where id = $1;

-- name: work_item_lock :one sprint.v1.WorkItem
select id, title, description, type, status, priority, story_points, sprint_id, project_id,
       assignee, reporter, labels, parent_id, due_date, completed_at, metadata, blocked_since,
       created_at, updated_at
  from work_item
 where id = $1
   for no key update;

-- In the order of their ids, so that two bulk updates never wait for each other.
-- name: work_item_lock_all :rows
select id from work_item where id = any ($1::text[]) order by id for no key update;

-- name: work_item_list :many sprint.v1.WorkItem :replan
select id, title, description, type, status, priority, story_points, sprint_id, project_id,
       assignee, reporter, labels, parent_id, due_date, completed_at, metadata, blocked_since,
       created_at, updated_at
  from work_item
 where ($1::text is null or sprint_id = $1)
   and ($2::text is null or project_id = $2)
   and ($3::text is null or assignee = $3)
   and ($4::text is null or parent_id = $4)
   and ($5::text is null or status = $5)
   and ($6::text is null or type = $6)
   and ($7::text is null or priority = $7)
   and ($8::text[] = '{}' or labels && $8)
 order by updated_at desc, id
 limit $9 offset $10;

-- name: work_item_count :one sprint.v1.ListWorkItemsResponse :replan
select count(*)::int as total
  from work_item
 where ($1::text is null or sprint_id = $1)
   and ($2::text is null or project_id = $2)
   and ($3::text is null or assignee = $3)
   and ($4::text is null or parent_id = $4)
   and ($5::text is null or status = $5)
   and ($6::text is null or type = $6)
   and ($7::text is null or priority = $7)
   and ($8::text[] = '{}' or labels && $8);

-- name: work_item_children :many sprint.v1.WorkItem
select id, title, description, type, status, priority, story_points, sprint_id, project_id,
       assignee, reporter, labels, parent_id, due_date, completed_at, metadata, blocked_since,
       created_at, updated_at
  from work_item
 where parent_id = $1
 order by id
 limit $2;

-- What a conversation is about is among its links, as is what it only mentions.
-- name: work_item_interactions :many sprint.v1.Interaction
select id, session_id, user_id, source, title, summary, decisions, action_items, tools_used,
       sprint_id, work_item_id, tags, message_count, metadata, created_at, updated_at
  from interaction
 where id in (select interaction_id from interaction_link where work_item_id = $1)
 order by created_at desc, id
 limit $2;

-- name: work_item_history :many sprint.v1.Change
select at, actor, field, old_value, new_value
  from work_item_change
 where work_item_id = $1
 order by at desc, id desc
 limit $2;

-- Parent and parent's parents of $1, and whether $2 is among them.
-- name: work_item_is_under :text
with recursive above (id, parent_id) as (
  select id, parent_id from work_item where id = $1
  union
  select w.id, w.parent_id from work_item w join above on w.id = above.parent_id
)
select exists (select from above where id = $2);

-- Moves below another item happen one after the other: each sees the ones before.
-- name: work_item_lock_tree :exec
select pg_advisory_xact_lock(hashtext('sprint.work_item.parent_id'));

-- Project of a sprint that stays while the transaction lasts.
-- name: work_item_sprint_project :one sprint.v1.WorkItem
select project_id from sprint where id = $1 for key share;

-- name: work_item_key :text
select key from project where id = $1 for key share;

-- name: work_item_next_id :text
select $1 || '-' || take_number($1);

-- No row when the id is taken.
-- name: work_item_insert :one sprint.v1.WorkItem
insert into work_item (id, title, description, type, status, priority, story_points, sprint_id,
                       project_id, assignee, reporter, labels, parent_id, due_date, completed_at,
                       metadata, blocked_since)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::jsonb,
        case when 'blocked' = any ($12::text[]) then now() end)
on conflict (id) do nothing
returning id, title, description, type, status, priority, story_points, sprint_id, project_id,
          assignee, reporter, labels, parent_id, due_date, completed_at, metadata, blocked_since,
          created_at, updated_at;

-- name: work_item_update :one sprint.v1.WorkItem
update work_item
   set title = $2, description = $3, type = $4, status = $5, priority = $6, story_points = $7,
       sprint_id = $8, project_id = $9, assignee = $10, reporter = $11, labels = $12,
       parent_id = $13, due_date = $14, completed_at = $15, metadata = $16::jsonb,
       blocked_since = case when 'blocked' = any ($12::text[])
                            then coalesce(blocked_since, clock_timestamp()) end,
       updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
 where id = $1
returning id, title, description, type, status, priority, story_points, sprint_id, project_id,
          assignee, reporter, labels, parent_id, due_date, completed_at, metadata, blocked_since,
          created_at, updated_at;

-- name: work_item_journal :exec
insert into work_item_change (work_item_id, at, actor, field, old_value, new_value)
select $1, clock_timestamp(), $2, c.field, nullif(c.old_value, ''), nullif(c.new_value, '')
  from unnest($3::text[], $4::text[], $5::text[]) with ordinality
       as c (field, old_value, new_value, n)
 order by c.n;
