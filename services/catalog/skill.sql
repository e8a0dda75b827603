-- name: skill_get :one catalog.v1.Skill
select id, name, description, version, category, trigger_patterns, asset_path, dependencies,
       author, tags, content is not null as has_content, content_sha256, created_at, updated_at,
       content
  from skill
 where id = $1;

-- name: skill_lock :one catalog.v1.Skill
select id, name, description, version, category, trigger_patterns, asset_path, dependencies,
       author, tags, content is not null as has_content, content_sha256, created_at, updated_at,
       content
  from skill
 where id = $1
   for update;

-- name: skill_list :many catalog.v1.Skill
select id, name, description, version, category, trigger_patterns, asset_path, dependencies,
       author, tags, content is not null as has_content, content_sha256, created_at, updated_at
  from skill
 where ($1::text is null or category = $1)
   and ($2::text[] = '{}' or tags && $2)
 order by updated_at desc, id
 limit $3 offset $4;

-- name: skill_page :many catalog.v1.Skill
select id, name, description, updated_at
  from skill
 where content is not null and id > $1 and id >= $2 and starts_with(id, $2)
 order by id
 limit $3;

-- name: skill_count :one catalog.v1.ListSkillsResponse
select count(*)::int as total
  from skill
 where ($1::text is null or category = $1)
   and ($2::text[] = '{}' or tags && $2);

-- name: skill_insert :one catalog.v1.Skill
insert into skill (id, name, description, version, category, trigger_patterns, asset_path,
                   dependencies, author, tags, content, content_sha256, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text,
        encode(sha256(convert_to($11::text, 'UTF8')), 'hex'),
        coalesce($12::timestamptz, now()), coalesce($13::timestamptz, now()))
returning id, name, description, version, category, trigger_patterns, asset_path, dependencies,
          author, tags, content is not null as has_content, content_sha256, created_at,
          updated_at;

-- name: skill_update :one catalog.v1.Skill
update skill
   set name = $2, description = $3, version = $4, category = $5, trigger_patterns = $6,
       asset_path = $7, dependencies = $8, tags = $9, content = $10::text,
       content_sha256 = encode(sha256(convert_to($10::text, 'UTF8')), 'hex'),
       updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
 where id = $1
returning id, name, description, version, category, trigger_patterns, asset_path, dependencies,
          author, tags, content is not null as has_content, content_sha256, created_at,
          updated_at;

-- name: skill_delete :exec
delete from skill where id = $1;

-- name: skill_unknown :many
select d as id
  from unnest($1::text[]) with ordinality as given (d, n)
 where not exists (select from skill where skill.id = d)
 order by n;

-- name: skill_dependents :many
select id
  from skill
 where $1::text = any (dependencies)
 order by id;
