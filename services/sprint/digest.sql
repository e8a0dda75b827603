-- name: digest_list :many sprint.v1.Digest :replan
select kind, period, project_id, body, created_at
  from digest
 where ($1::text is null or kind = $1)
 order by created_at desc, kind, period desc, project_id
 limit $2 offset $3;

-- name: digest_count :one sprint.v1.ListDigestsResponse :replan
select count(*)::int as total
  from digest
 where ($1::text is null or kind = $1);

-- The latest period of a kind.
-- name: digest_latest :text
select max(period) from digest where kind = $1;

-- Affects no row when another copy was faster. Sprints of one project that are
-- completed on one day share a digest, which is made anew for each that it does
-- not tell of.
-- name: digest_store :exec
insert into digest (kind, period, project_id, body, created_at, told)
values ($1, $2::date, $3, $4, $5::timestamptz, $6::text[])
on conflict (kind, period, project_id) do update
   set body = excluded.body, created_at = excluded.created_at, told = excluded.told
 where not digest.told @> excluded.told;

-- Completions of the last days that no digest tells of, whenever they were
-- committed. What is completed is changed then or later.
-- name: digest_due :rows
with completed as (
  select (completed_at at time zone 'UTC')::date as period, coalesce(project_id, '') as project_id,
         completed_at, id
    from sprint
   where status = 'completed'
     and updated_at >= $1::timestamptz - interval '1 day'
     and completed_at >= $1::timestamptz)
select period, project_id, string_agg(id, ' ' order by completed_at, id) as ids,
       array_agg(completion(id, completed_at)) as told
  from completed
 group by period, project_id
having not exists (select from digest d
                    where d.kind = 'sprint_end' and d.period = completed.period
                      and d.project_id = completed.project_id
                      and d.told @> array_agg(completion(completed.id, completed.completed_at)))
 order by period, project_id;

-- name: digest_done :many sprint.v1.WorkItem
select id, title, story_points, assignee
  from work_item
 where status = 'done'
   and updated_at >= $1::date::timestamp at time zone 'UTC'
   and completed_at >= $1::date::timestamp at time zone 'UTC'
   and completed_at < ($2::date + 1)::timestamp at time zone 'UTC'
 order by completed_at, id;

-- name: digest_talk :rows
select (select count(*) from interaction
         where created_at >= $1::date::timestamp at time zone 'UTC'
           and created_at < ($2::date + 1)::timestamp at time zone 'UTC') as interactions,
       (select count(*) from decision
         where created_at >= $1::date::timestamp at time zone 'UTC'
           and created_at < ($2::date + 1)::timestamp at time zone 'UTC') as decisions,
       (select string_agg(member, ', ' order by member)
          from (select assignee as member
                  from work_item
                 where status = 'done'
                   and updated_at >= $1::date::timestamp at time zone 'UTC'
                   and completed_at >= $1::date::timestamp at time zone 'UTC'
                   and completed_at < ($2::date + 1)::timestamp at time zone 'UTC'
                   and assignee is not null
                 union
                select user_id
                  from interaction
                 where created_at >= $1::date::timestamp at time zone 'UTC'
                   and created_at < ($2::date + 1)::timestamp at time zone 'UTC') m)
         as contributors;

-- name: digest_blocked :many sprint.v1.BlockedItem
select id, title, assignee, blocked_since
  from work_item
 where labels @> '{blocked}' and status not in ('done', 'cancelled')
 order by blocked_since, id
 limit 20;

-- name: digest_progress :rows
select s.id, s.name, s.start_date, s.end_date,
       coalesce(sum(w.story_points), 0)::int as points,
       coalesce(sum(w.story_points) filter (where w.status = 'done'), 0)::int as points_done
  from (select id, name, start_date, end_date
          from sprint
         where status = 'active'
         order by start_date desc, id
         limit 20) s
  left join work_item w on w.sprint_id = s.id and w.status <> 'cancelled'
 group by s.id, s.name, s.start_date, s.end_date
 order by s.start_date desc, s.id;

-- name: digest_trend :many sprint.v1.TrendSprint
select id as sprint_id, name, coalesce(velocity, 0) as velocity
  from sprint
 where status = 'completed'
 order by completed_at desc, id
 limit 3;
