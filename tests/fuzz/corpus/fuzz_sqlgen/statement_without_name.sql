select 1;
-- => 1: statement without a name; put '-- name: x_verb :kind' above it
