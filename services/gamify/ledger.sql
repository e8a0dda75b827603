-- name: ledger_lock :one gamify.v1.Member
select id, name, email, avatar_url, role, metadata, xp, level, streak_days, streak_last_date,
       created_at, updated_at
  from member
 where id = $1
   for no key update;

-- name: ledger_tally :many
select commits, interactions, sprints, top_velocity, bugs, decisions, longest_run, frontend,
       backend, devops, data, documentation
  from tally
 where user_id = $1;

-- Days since 1970.
-- name: ledger_days :many
select distinct day - date '1970-01-01' as day
  from day_points
 where user_id = $1 and contributions > 0
 order by 1;

-- name: ledger_badges :many gamify.v1.GetAchievementsResponse
select id, name, description, icon, category, tier, xp_reward, criteria, created_at
  from achievement a
 where not exists (select from user_achievement u
                    where u.user_id = $1 and u.achievement_id = a.id)
 order by array_position(array['bronze', 'silver', 'gold', 'platinum'], tier), id;

-- Tools that the member's keys have used.
-- name: ledger_tools :one
select count(distinct u.tool_name)::int
  from member m
  join tool_use u
    on u.user_key = any (array(select jsonb_array_elements_text(m.metadata -> 'key_names')
                                where jsonb_typeof(m.metadata -> 'key_names') = 'array')
                         || m.id::text)
    or lower(u.user_key) = lower(m.name)
 where m.id = $1;

-- Which of the awards are known already, or come twice among them.
-- name: ledger_known :many
select r.n - 1 as i, c.id::text, c.project_id is null as free
  from (select type, reference_id, n,
               row_number() over (partition by type, reference_id order by n) as copy
          from unnest($2::text[], $3::text[]) with ordinality as t (type, reference_id, n)
         where reference_id is not null) r
  left join contribution c on c.user_id = $1 and c.type = r.type
                          and c.reference_id = r.reference_id and c.reversed_at is null
 where c.id is not null or r.copy > 1;

-- name: ledger_insert :many
insert into contribution (user_id, type, reference_id, points, base_points, multiplier_percent,
                          description, project_id, metadata, occurred_at, created_at)
select $1, type, reference_id, points, base_points, multiplier_percent, description, project_id,
       metadata::jsonb, occurred_at, $10::timestamptz
  from unnest($2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::text[], $8::text[],
              $9::text[], $11::timestamptz[]) with ordinality
       as t (type, reference_id, points, base_points, multiplier_percent, description, project_id,
             metadata, occurred_at, n)
 order by n
returning id::text;

-- name: ledger_unlock :exec
insert into user_achievement (user_id, achievement_id, unlocked_at)
select $1, id, $3::timestamptz
  from unnest($2::text[]) with ordinality as t (id, n)
 order by n;

-- The sums of new contributions, and where the member stands after them.
-- name: ledger_save :exec
with awarded as (
  select *
    from unnest($2::date[], $3::text[], $4::int[], $5::int[])
         as t (day, project_id, points, contributions)
), days as (
  insert into day_points as d (user_id, day, project_id, points, contributions)
  select $1, day, project_id, sum(points), sum(contributions)
    from awarded
   group by day, project_id
  having sum(points) <> 0 or sum(contributions) <> 0
      on conflict (user_id, day, project_id) do update
     set points = d.points + excluded.points,
         contributions = d.contributions + excluded.contributions
), projects as (
  insert into project_points as p (project_id, user_id, points)
  select project_id, $1, sum(points)
    from awarded
   where project_id <> ''
   group by project_id
  having sum(points) <> 0
      on conflict (project_id, user_id) do update set points = p.points + excluded.points
), counted as (
  insert into tally (user_id, commits, interactions, sprints, top_velocity, bugs, decisions,
                     longest_run, frontend, backend, devops, data, documentation)
  values ($1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
      on conflict (user_id) do update
     set commits = excluded.commits, interactions = excluded.interactions,
         sprints = excluded.sprints, top_velocity = excluded.top_velocity, bugs = excluded.bugs,
         decisions = excluded.decisions, longest_run = excluded.longest_run, frontend = excluded.frontend, backend = excluded.backend,
         devops = excluded.devops, data = excluded.data, documentation = excluded.documentation
)
update member
   set xp = $18, level = $19, streak_days = $20, streak_last_date = $21::date
 where id = $1;

-- name: ledger_take :many
update contribution
   set reversed_at = $4::timestamptz
 where user_id = $1 and type = $2 and reference_id = $3 and reversed_at is null
returning id::text, points, base_points, multiplier_percent, project_id,
          (occurred_at at time zone 'UTC')::date as day, figure(metadata, 'decisions') as decisions,
          metadata ->> 'item_type' is not distinct from 'bug' as bug,
          metadata -> 'top_velocity' is not distinct from 'true' as top_velocity,
          figure(metadata -> 'areas', 'frontend') as frontend,
          figure(metadata -> 'areas', 'backend') as backend,
          figure(metadata -> 'areas', 'devops') as devops,
          figure(metadata -> 'areas', 'data') as data,
          figure(metadata -> 'areas', 'documentation') as documentation;

-- name: ledger_take_sums :exec
with projects as (
  update project_points set points = points - $4
   where project_id = $3 and user_id = $1
)
update day_points
   set points = points - $4, contributions = contributions - $5
 where user_id = $1 and day = $2::date and project_id = coalesce($3, '');

-- Gives contributions without project one, and moves their points.
-- name: ledger_assign :many
with given as (
  update contribution
     set project_id = $2
   where id = any ($3::bigint[]) and user_id = $1 and project_id is null and reversed_at is null
  returning id, points, (occurred_at at time zone 'UTC')::date as day
), moved as (
  select day, sum(points) as points, count(*) as contributions from given group by day
), less as (
  update day_points d
     set points = d.points - m.points, contributions = d.contributions - m.contributions
    from moved m
   where d.user_id = $1 and d.project_id = '' and d.day = m.day
), more as (
  insert into day_points as d (user_id, day, project_id, points, contributions)
  select $1, day, $2, points, contributions from moved
      on conflict (user_id, day, project_id) do update
     set points = d.points + excluded.points,
         contributions = d.contributions + excluded.contributions
), projects as (
  insert into project_points as p (project_id, user_id, points)
  select $2, $1, sum(points) from moved having sum(points) <> 0
      on conflict (project_id, user_id) do update set points = p.points + excluded.points
)
select id::text from given order by id;

-- name: ledger_sweep_sums :exec
with projects as (
  delete from project_points where user_id = $1 and points = 0
)
delete from day_points where user_id = $1 and points = 0 and contributions = 0;

-- Members who have the contribution, in the order of locking.
-- name: ledger_holders :many
select distinct user_id collate "C" as user_id
  from contribution
 where type = $1 and reference_id = $2 and reversed_at is null
 order by 1;
