select 1;
-- => 1: statement without a name; put '-- name: noun_verb :kind' above it
