-- name: x_get :one catalog.v1.Skill and more
select 1;
-- => 1: query message_misspelled_get: after the kind comes one message such as catalog.v1.Skill, then :replan
