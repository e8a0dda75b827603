-- name: achievement_insert :exec
insert into achievement (id, name, description, icon, category, tier, xp_reward, criteria,
                         created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, date_trunc('milliseconds', now()))
    on conflict (id) do nothing;

-- name: achievement_list :many gamify.v1.Achievement
select id, name, description, icon, category, tier, xp_reward, criteria, created_at
  from achievement
 where ($1::text is null or category = $1)
 order by array_position(array['bronze', 'silver', 'gold', 'platinum'], tier), id;
