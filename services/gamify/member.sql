-- name: member_count :one gamify.v1.CountMembersResponse
select count(*)::int as members from member;

-- name: member_total :one gamify.v1.ListTeamMembersResponse
select count(*)::int as total from member;

-- name: member_list :many gamify.v1.Member
select id, name, email, avatar_url, role, metadata, xp, level, streak_days, streak_last_date,
       created_at, updated_at
  from member
 order by xp desc, id
 limit $1 offset $2;

-- name: member_get :one gamify.v1.Member
select id, name, email, avatar_url, role, metadata, xp, level, streak_days, streak_last_date,
       created_at, updated_at
  from member
 where id = $1;

-- name: member_insert :one gamify.v1.Member
with added as (
  insert into member (id, name, email, avatar_url, role, metadata, created_at, updated_at)
  values ($1, $2, $3, $4, coalesce($5, 'developer'), coalesce($6, '{}')::jsonb,
          date_trunc('milliseconds', now()), date_trunc('milliseconds', now()))
      on conflict (id) do nothing
  returning id, name, email, avatar_url, role, metadata, xp, level, streak_days, streak_last_date,
            created_at, updated_at
), counted as (
  insert into tally (user_id) select id from added
)
select * from added;

-- name: member_update :one gamify.v1.Member
update member
   set name = $2, email = $3, avatar_url = $4, role = $5, metadata = $6::jsonb,
       updated_at = date_trunc('milliseconds', now())
 where id = $1
returning id, name, email, avatar_url, role, metadata, xp, level, streak_days, streak_last_date,
          created_at, updated_at;

-- name: member_email_owner :one
select id from member where lower(email) = lower($1);

-- name: member_rank :one gamify.v1.GetTeamMemberResponse
select 1 + count(*)::int as rank from member where xp > $1;

-- name: member_contributions :many gamify.v1.Contribution
select id::text, user_id, type, reference_id, points, base_points, multiplier_percent, description,
       project_id, metadata, occurred_at, reversed_at, created_at
  from contribution
 where user_id = $1 and reversed_at is null
 order by occurred_at desc, contribution.id desc
 limit 10;

-- name: member_achievements :many gamify.v1.Achievement
select a.id, a.name, a.description, a.icon, a.category, a.tier, a.xp_reward, a.criteria,
       a.created_at, true as unlocked, u.unlocked_at
  from user_achievement u
  join achievement a on a.id = u.achievement_id
 where u.user_id = $1
 order by u.unlocked_at desc, u.id desc;

-- name: member_points :many gamify.v1.SumPointsResponse
select m.id as user_id, coalesce(sum(d.points), 0)::int as points
  from member m
  left join day_points d on d.user_id = m.id and d.day between $2::date and $3::date
 where m.id = any ($1::text[])
 group by m.id
 order by m.id;

-- name: member_ids :many
select id from member order by id;
