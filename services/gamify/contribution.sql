-- name: contribution_get :one gamify.v1.Contribution
select id::text, user_id, type, reference_id, points, base_points, multiplier_percent, description,
       project_id, metadata, occurred_at, reversed_at, created_at
  from contribution
 where id = $1;

-- name: contribution_reward :one gamify.v1.Achievement
select xp_reward from achievement where id = $1;
