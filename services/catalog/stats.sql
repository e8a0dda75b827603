-- name: stats_totals :one catalog.v1.Totals
select (select count(*) from skill)::int as skills,
       (select count(*) from command)::int as commands,
       (select count(*) from subagent)::int as subagents,
       (select count(*) from mcp)::int as mcps;
