-- What an agent should know at its start.

-- name: context_sprint :one sprint.v1.Sprint
select id, name, goal, start_date, end_date
  from sprint
 where status = 'active'
 order by start_date desc, id
 limit 1;

-- name: context_items :many sprint.v1.WorkItem
select id, title, description, type, status, priority, story_points, sprint_id, project_id,
       assignee, reporter, labels, parent_id, due_date, completed_at, metadata, blocked_since,
       created_at, updated_at
  from work_item
 where assignee = $1 and status not in ('done', 'cancelled')
 order by array_position(array['in_progress', 'review', 'todo', 'backlog'], status),
          array_position(array['critical', 'high', 'medium', 'low'], priority), id
 limit 20;

-- name: context_decisions :many sprint.v1.Decision
select id::text, interaction_id, text, user_id, sprint_id, work_item_id, created_at
  from decision
 order by created_at desc, decision.id desc
 limit 3;

-- name: context_interactions :many sprint.v1.ContextInteraction
select id, title, summary
  from interaction
 order by created_at desc, id
 limit 5;
