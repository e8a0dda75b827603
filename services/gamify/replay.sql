-- The game made anew from the event stream: the ledger and the achievements from
-- the game's own events, the use of tools from the gateway's. All of this is one
-- transaction; what gathers the events is gone after it.

-- name: replay_make_awards :exec
create unlogged table replay_award (
  id                 bigint primary key,
  user_id            text not null,
  type               text not null,
  reference_id       text,
  points             int not null,
  base_points        int not null,
  multiplier_percent int not null,
  description        text,
  project_id         text,
  metadata           jsonb not null,
  occurred_at        timestamptz not null,
  created_at         timestamptz not null
);

-- name: replay_make_reversals :exec
create unlogged table replay_reversal (id bigint primary key, reversed_at timestamptz not null);

-- name: replay_make_assignments :exec
create unlogged table replay_assignment (id bigint primary key, project_id text not null);

-- name: replay_make_unlocks :exec
create unlogged table replay_unlock (
  user_id        text,
  achievement_id text,
  unlocked_at    timestamptz not null,
  primary key (user_id, achievement_id)
);

-- name: replay_make_uses :exec
create unlogged table replay_use (
  event_id   uuid primary key,
  message_id uuid not null,
  sequence   bigint not null,
  user_key   text not null,
  tool_name  text not null,
  at         timestamptz not null
);

-- name: replay_make_members :exec
create unlogged table replay_member (
  id               text primary key,
  xp               int not null,
  level            int not null,
  streak_days      int not null,
  streak_last_date date
);

-- What the ledger has to hold of what the stream tells.
-- name: replay_make_ledger :exec
create view replay_contribution as
select a.id, a.user_id, a.type, a.reference_id, a.points, a.base_points, a.multiplier_percent,
       a.description, coalesce(g.project_id, a.project_id) as project_id, a.metadata,
       a.occurred_at, r.reversed_at, a.created_at
  from replay_award a
  join member m on m.id = a.user_id
  left join replay_reversal r on r.id = a.id
  left join replay_assignment g on g.id = a.id;

-- What counts of the use of tools. Calls that the consumer has still to apply are
-- left to it: it looks for achievements, too.
-- name: replay_make_counts :exec
create view replay_tool_use as
select user_key, tool_name, count(*)::int as calls, min(at) as first_at, max(at) as last_at,
       count(i.event_id)::int as applied
  from replay_use u
  left join inbox i on i.event_id = u.message_id
 group by user_key, tool_name;

-- The use of tools first, which is the order of its consumer; members before all
-- that is theirs, in a mode that also waits for who has locked one.
-- name: replay_lock_tool_use :exec
lock table tool_use in share row exclusive mode;

-- name: replay_lock_members :exec
lock table member in exclusive mode;

-- name: replay_lock_rest :exec
lock table contribution, user_achievement, tally, day_points, project_points
  in share row exclusive mode;

-- name: replay_take_awards :exec
insert into replay_award
select id, user_id, type, nullif(reference_id, ''), points, base_points, multiplier_percent,
       nullif(description, ''), nullif(project_id, ''), coalesce(nullif(metadata, ''), '{}')::jsonb,
       occurred_at, created_at
  from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[],
              $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[])
       as t (id, user_id, type, reference_id, points, base_points, multiplier_percent, description,
             project_id, metadata, occurred_at, created_at)
    on conflict do nothing;

-- name: replay_take_reversals :exec
insert into replay_reversal select * from unnest($1::bigint[], $2::timestamptz[])
    on conflict do nothing;

-- name: replay_take_assignments :exec
insert into replay_assignment select * from unnest($1::bigint[], $2::text[])
    on conflict do nothing;

-- name: replay_take_unlocks :exec
insert into replay_unlock select * from unnest($1::text[], $2::text[], $3::timestamptz[])
    on conflict do nothing;

-- name: replay_take_uses :exec
insert into replay_use
select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[],
                     $6::timestamptz[])
    on conflict do nothing;

-- name: replay_look :exec
analyze replay_award, replay_reversal, replay_assignment, replay_unlock, replay_use;

-- What the consumer up to whose place all is applied has not taken yet.
-- name: replay_leave_uses :exec
delete from replay_use u
 where sequence > $1::bigint and not exists (select from inbox i where i.event_id = u.message_id);

-- name: replay_events :one
select (select count(*) from replay_award) + (select count(*) from replay_reversal) +
       (select count(*) from replay_assignment) + (select count(*) from replay_unlock) +
       (select count(*) from replay_use);

-- ---- the ledger: what differs goes before anything comes, so that no reference
-- is there twice in between. Numbers are given in the order of the stream, but
-- for what happens at the same time: those before the first are older than it.

-- name: replay_remove_contributions :exec
delete from contribution c
 where c.created_at >= $1::timestamptz
   and c.id > (select min(id) from replay_award)
   and not exists (select from replay_contribution r where r.id = c.id);

-- name: replay_differ_contributions :exec
delete from contribution c using replay_contribution r
 where r.id = c.id
   and (c.user_id, c.type, c.reference_id, c.points, c.base_points, c.multiplier_percent,
        c.description, c.project_id, c.metadata, c.occurred_at, c.reversed_at, c.created_at)
       is distinct from
       (r.user_id, r.type, r.reference_id, r.points, r.base_points, r.multiplier_percent,
        r.description, r.project_id, r.metadata, r.occurred_at, r.reversed_at, r.created_at);

-- name: replay_change_old_contributions :exec
update contribution c
   set reversed_at = n.reversed_at, project_id = n.project_id
  from (select o.id,
               coalesce(r.reversed_at, case when o.reversed_at < $1::timestamptz
                                            then o.reversed_at end) as reversed_at,
               coalesce(g.project_id, o.project_id) as project_id
          from contribution o
          left join replay_reversal r on r.id = o.id
          left join replay_assignment g on g.id = o.id
         where not exists (select from replay_award a where a.id = o.id)
           and (r.id is not null or g.id is not null or o.reversed_at >= $1::timestamptz)) n
 where n.id = c.id
   and (c.reversed_at, c.project_id) is distinct from (n.reversed_at, n.project_id);

-- name: replay_add_contributions :exec
insert into contribution (id, user_id, type, reference_id, points, base_points,
                          multiplier_percent, description, project_id, metadata, occurred_at,
                          reversed_at, created_at)
       overriding system value
select id, user_id, type, reference_id, points, base_points, multiplier_percent, description,
       project_id, metadata, occurred_at, reversed_at, created_at
  from replay_contribution r
 where not exists (select from contribution c where c.id = r.id)
 order by id;

-- name: replay_next_number :exec
select setval('contribution_id_seq', m.id)
  from (select max(id) as id from contribution) m, contribution_id_seq s
 where m.id > s.last_value;

-- name: replay_rows_contributions :one mal.v1.ReplayedTable
select count(*)::int as rows,
       count(*) filter (where not exists (select from replay_award a where a.id = c.id))::int
         as kept
  from contribution c;

-- ---- achievements

-- name: replay_remove_unlocks :exec
delete from user_achievement u
 where u.unlocked_at >= $1::timestamptz
   and u.id > (select min(o.id) from user_achievement o join replay_unlock r
                 on (r.user_id, r.achievement_id) = (o.user_id, o.achievement_id))
   and not exists (select from replay_unlock r
                    where (r.user_id, r.achievement_id) = (u.user_id, u.achievement_id));

-- name: replay_change_unlocks :exec
update user_achievement u set unlocked_at = r.unlocked_at from replay_unlock r
 where (r.user_id, r.achievement_id) = (u.user_id, u.achievement_id)
   and u.unlocked_at <> r.unlocked_at;

-- name: replay_add_unlocks :exec
insert into user_achievement (user_id, achievement_id, unlocked_at)
select r.user_id, r.achievement_id, r.unlocked_at
  from replay_unlock r
  join member m on m.id = r.user_id
  join achievement a on a.id = r.achievement_id
 order by r.unlocked_at
    on conflict (user_id, achievement_id) do nothing;

-- name: replay_rows_unlocks :one mal.v1.ReplayedTable
select count(*)::int as rows,
       count(*) filter (where not exists (
         select from replay_unlock r
          where (r.user_id, r.achievement_id) = (u.user_id, u.achievement_id)))::int as kept
  from user_achievement u;

-- ---- the use of tools: of a row that began before the stream the calls stay that
-- are none of the stream's.

-- name: replay_remove_uses :exec
delete from tool_use t
 where t.first_at >= $1::timestamptz
   and not exists (select from replay_tool_use r
                    where (r.user_key, r.tool_name) = (t.user_key, t.tool_name));

-- name: replay_change_uses :exec
update tool_use t
   set calls = n.calls, first_at = n.first_at, last_at = n.last_at
  from (select o.user_key, o.tool_name, r.last_at,
               r.calls + case when o.first_at < $1::timestamptz and o.first_at < r.first_at
                              then greatest(o.calls - r.applied, 0) else 0 end as calls,
               case when o.first_at < $1::timestamptz then least(o.first_at, r.first_at)
                    else r.first_at end as first_at
          from tool_use o
          join replay_tool_use r on (r.user_key, r.tool_name) = (o.user_key, o.tool_name)) n
 where (n.user_key, n.tool_name) = (t.user_key, t.tool_name)
   and (t.calls, t.first_at, t.last_at) is distinct from (n.calls, n.first_at, n.last_at);

-- name: replay_add_uses :exec
insert into tool_use (user_key, tool_name, calls, first_at, last_at)
select user_key, tool_name, calls, first_at, last_at from replay_tool_use
    on conflict (user_key, tool_name) do nothing;

-- What was counted does not count again, even for a new consumer.
-- name: replay_see_uses :exec
insert into inbox (event_id) select distinct message_id from replay_use on conflict do nothing;

-- name: replay_rows_uses :one mal.v1.ReplayedTable
select count(*)::int as rows,
       count(*) filter (where not exists (
         select from replay_tool_use r
          where (r.user_key, r.tool_name) = (t.user_key, t.tool_name)))::int as kept
  from tool_use t;

-- ---- what follows from the ledger

-- name: replay_recount :exec
call recount();

-- name: replay_members :exec
with days as (
  select distinct user_id, day from day_points where contributions > 0
), numbered as (
  select user_id, day, day - row_number() over (partition by user_id order by day)::int as run
    from days
), runs as (
  select distinct on (user_id) user_id, max(day) as last, count(*)::int as days
    from numbered group by user_id, run order by user_id, max(day) desc
), sums as (
  select user_id, sum(points)::int as xp
    from contribution where reversed_at is null group by user_id
)
insert into replay_member
select m.id, coalesce(s.xp, 0), 1, coalesce(r.days, 0), r.last
  from member m
  left join sums s on s.user_id = m.id
  left join runs r on r.user_id = m.id;

-- name: replay_xp :many
select id, xp from replay_member;

-- name: replay_levels :exec
update replay_member m set level = t.level
  from unnest($1::text[], $2::int[]) as t (id, level) where t.id = m.id;

-- name: replay_change_members :exec
update member m
   set xp = r.xp, level = r.level, streak_days = r.streak_days,
       streak_last_date = r.streak_last_date
  from replay_member r
 where r.id = m.id
   and (m.xp, m.level, m.streak_days, m.streak_last_date)
       is distinct from (r.xp, r.level, r.streak_days, r.streak_last_date);

-- name: replay_rows_members :one mal.v1.ReplayedTable
select count(*)::int as rows from member;

-- name: replay_drop_views :exec
drop view replay_contribution, replay_tool_use;

-- name: replay_drop_tables :exec
drop table replay_award, replay_reversal, replay_assignment, replay_unlock, replay_use,
           replay_member;
