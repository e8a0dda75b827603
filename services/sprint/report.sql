-- What reports are made of; read in one snapshot.

-- name: report_items :many sprint.v1.WorkItem
select id, title, type, status, priority, story_points, assignee, completed_at, blocked_since
  from work_item
 where sprint_id = $1
 order by array_position(array['in_progress', 'review', 'todo', 'backlog', 'done', 'cancelled'],
                         status),
          completed_at, array_position(array['critical', 'high', 'medium', 'low'], priority), id;

-- Nobody comes last.
-- name: report_assignees :many sprint.v1.AssigneeCount
select coalesce(assignee, '') as assignee, count(*)::int as count,
       count(*) filter (where status = 'done')::int as done,
       coalesce(sum(story_points), 0)::int as points,
       coalesce(sum(story_points) filter (where status = 'done'), 0)::int as points_done
  from work_item
 where sprint_id = $1 and status <> 'cancelled'
 group by work_item.assignee
 order by work_item.assignee nulls last;

-- Sprints of the same project (or of none) that were completed before this one.
-- name: report_trend :many sprint.v1.TrendSprint :replan
select id as sprint_id, name, coalesce(velocity, 0) as velocity
  from sprint
 where status = 'completed' and id <> $1
   and (project_id = $2 or ($2::text is null and project_id is null))
   and ($3::timestamptz is null or completed_at < $3)
 order by completed_at desc, id
 limit 3;
