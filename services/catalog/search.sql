-- Every collection is asked for one page of its best matches, and only these get
-- a snippet, of long texts from their beginning. Marks are control characters
-- until the end, because documents have asterisks of their own. Ties go by the
-- time of change where $5 says so, else by id.

-- name: search_hits :many catalog.v1.SearchHit
with q as materialized (select query($1) as q),
hits as (
  (select 'skills' as collection, id::text, name, description, category, tags, content as body,
          updated_at, ts_rank(search, q) as rank
     from skill, q
    where search @@ q and ($2::text is null or $2 = 'skills')
    order by rank desc, updated_at desc, id
    limit $3 offset $4)
  union all
  (select 'commands', id, name, description, category, tags, null, updated_at,
          ts_rank(search, q) as rank
     from command, q
    where search @@ q and ($2::text is null or $2 = 'commands')
    order by rank desc, updated_at desc, id
    limit $3 offset $4)
  union all
  (select 'subagents', id, name, description, null, tags, system_prompt, updated_at,
          ts_rank(search, q) as rank
     from subagent, q
    where search @@ q and ($2::text is null or $2 = 'subagents')
    order by rank desc, updated_at desc, id
    limit $3 offset $4)
  union all
  (select 'mcps', id, name, description, null, tags, null, updated_at,
          ts_rank(search, q) as rank
     from mcp, q
    where search @@ q and ($2::text is null or $2 = 'mcps')
    order by rank desc, updated_at desc, id
    limit $3 offset $4)
)
select collection, id, name, description, category, tags, rank::float8 as rank,
       regexp_replace(case
         when strpos(about, chr(2)) > 0 or body is null then about
         else coalesce((select nullif(b, '') from ts_headline('words', left(body, 30000), q,
                'MaxWords=30, MinWords=20, StartSel=' || chr(2) || ', StopSel=' || chr(3)) b
                where strpos(b, chr(2)) > 0), about)
       end, '[\x02\x03]', '**', 'g') as snippet
  from hits, q,
       ts_headline('words', description, q,
         'MaxWords=30, MinWords=20, StartSel=' || chr(2) || ', StopSel=' || chr(3)) about
 order by hits.rank desc, collection, case when $5::bool then updated_at end desc, id;

-- name: search_totals :one catalog.v1.Totals
with q as materialized (select query($1) as q)
select (select count(*) from skill where search @@ q)::int as skills,
       (select count(*) from command where search @@ q)::int as commands,
       (select count(*) from subagent where search @@ q)::int as subagents,
       (select count(*) from mcp where search @@ q)::int as mcps
  from q;
