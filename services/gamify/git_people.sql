-- name: git_people_all :many
select id, name, email from member order by id;

-- name: git_people_one :one gamify.v1.Member
select id, name from member where id = $1;
