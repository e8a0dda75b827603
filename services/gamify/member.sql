-- name: member_count :one gamify.v1.CountMembersResponse
select count(*)::int as members from member;
