-- Names of downstream tools in /mcp. A name that was given goes on meaning its tool
-- until the server is removed: current ones are listed, the others still answer.
create table mcp_health.shown_name (
  name     text primary key,
  mcp_id   text not null references mcp_health.server on delete cascade,
  tool     text not null,
  current  bool not null default true,
  given_at timestamptz not null default now()
);
create index shown_name_tool on mcp_health.shown_name (mcp_id, tool);
