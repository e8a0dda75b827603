-- name: leaderboard_all :many gamify.v1.LeaderboardEntry
select rank() over (order by xp desc)::int as rank, id as user_id, name, avatar_url, role, level,
       xp, xp as total_xp, streak_days, streak_last_date
  from member
 order by xp desc, name, id
 limit $1 offset $2;

-- name: leaderboard_all_count :one gamify.v1.GetLeaderboardResponse
select count(*)::int as total from member;

-- name: leaderboard_project :many gamify.v1.LeaderboardEntry
select rank() over (order by p.points desc)::int as rank, m.id as user_id, m.name, m.avatar_url,
       m.role, m.level, p.points as xp, m.xp as total_xp, m.streak_days, m.streak_last_date
  from project_points p
  join member m on m.id = p.user_id
 where p.project_id = $1 and p.points > 0
 order by p.points desc, m.name, m.id
 limit $2 offset $3;

-- name: leaderboard_project_count :one gamify.v1.GetLeaderboardResponse
select count(*)::int as total from project_points where project_id = $1 and points > 0;

-- name: leaderboard_days :many gamify.v1.LeaderboardEntry :replan
select rank() over (order by s.points desc)::int as rank, m.id as user_id, m.name, m.avatar_url,
       m.role, m.level, s.points as xp, m.xp as total_xp, m.streak_days, m.streak_last_date
  from (select user_id, sum(points)::int as points
          from day_points
         where day between $1::date and $2::date and ($3::text is null or project_id = $3)
         group by user_id
        having sum(points) > 0) s
  join member m on m.id = s.user_id
 order by s.points desc, m.name, m.id
 limit $4 offset $5;

-- name: leaderboard_days_count :one gamify.v1.GetLeaderboardResponse :replan
select count(*)::int as total
  from (select from day_points
         where day between $1::date and $2::date and ($3::text is null or project_id = $3)
         group by user_id
        having sum(points) > 0) s;
