-- name: command_get :one catalog.v1.Command
select id, name, description, author, tags, category, shell, script_template, parameters,
       requires_confirmation, created_at, updated_at
  from command
 where id = $1;

-- name: command_lock :one catalog.v1.Command
select id, name, description, author, tags, category, shell, script_template, parameters,
       requires_confirmation, created_at, updated_at
  from command
 where id = $1
   for update;

-- name: command_list :many catalog.v1.Command
select id, name, description, author, tags, category, shell, parameters, requires_confirmation,
       created_at, updated_at
  from command
 where ($1::text is null or category = $1)
   and ($2::text[] = '{}' or tags && $2)
 order by updated_at desc, id
 limit $3 offset $4;

-- name: command_page :many catalog.v1.Command
select id, name, description, parameters
  from command
 where id > $1
 order by id
 limit $2;

-- name: command_count :one catalog.v1.ListCommandsResponse
select count(*)::int as total
  from command
 where ($1::text is null or category = $1)
   and ($2::text[] = '{}' or tags && $2);

-- name: command_insert :one catalog.v1.Command
insert into command (id, name, description, author, tags, category, shell, script_template,
                     parameters, requires_confirmation, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10,
        coalesce($11::timestamptz, now()), coalesce($12::timestamptz, now()))
returning id, name, description, author, tags, category, shell, script_template, parameters,
          requires_confirmation, created_at, updated_at;

-- name: command_update :one catalog.v1.Command
update command
   set name = $2, description = $3, tags = $4, category = $5, shell = $6, script_template = $7,
       parameters = $8::jsonb, requires_confirmation = $9,
       updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
 where id = $1
returning id, name, description, author, tags, category, shell, script_template, parameters,
          requires_confirmation, created_at, updated_at;

-- name: command_delete :exec
delete from command where id = $1;
