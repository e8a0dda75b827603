-- Tools of the hub itself, to be found beside those of servers. Written at every start.
create table mcp_health.own_tool (
  name        text primary key,
  title       text not null,
  description text not null,
  search      tsvector generated always as (mcp_health.vector(name, title, description)) stored
);
create index own_tool_search on mcp_health.own_tool using gin (search);
