-- name: achievement_insert :exec
insert into achievement (id, name, description, icon, category, tier, xp_reward, criteria,
                         created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, date_trunc('milliseconds', now()))
    on conflict (id) do nothing;

-- name: achievement_list :many gamify.v1.GetAchievementsResponse
select a.id, a.name, a.description, a.icon, a.category, a.tier, a.xp_reward, a.criteria,
       a.created_at, case when $1::text is not null then u.id is not null end as unlocked,
       u.unlocked_at
  from achievement a
  left join user_achievement u on u.achievement_id = a.id and u.user_id = $1
 where ($2::text is null or a.category = $2)
 order by array_position(array['bronze', 'silver', 'gold', 'platinum'], a.tier), a.id;
