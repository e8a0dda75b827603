-- The catalog: skills, commands, subagents, downstream MCP servers and the log of
-- tool calls. The schema with its outbox and inbox and, in public, the extension
-- unaccent are made before this runs.

create domain catalog.slug as text
  check (value ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(value) <= 64);

-- Text search: English stems without stop words, accents and case ignored.
create text search dictionary catalog.stem (template = snowball, language = english);

create text search configuration catalog.words (copy = simple);
alter text search configuration catalog.words
  alter mapping for asciiword, word, numword, asciihword, hword, numhword, hword_asciipart,
                    hword_part, hword_numpart
  with public.unaccent, catalog.stem;

-- For terms that match by their beginning.
create text search configuration catalog.plain (copy = simple);
alter text search configuration catalog.plain
  alter mapping for asciiword, word, numword, asciihword, hword, numhword, hword_asciipart,
                    hword_part, hword_numpart
  with public.unaccent, simple;

create function catalog.join(text[]) returns text language sql immutable parallel safe as $$
  select coalesce(string_agg(w, ' '), '') from unnest($1) w $$;

create function catalog.vector(a text, b text, c text, d text) returns tsvector
  language sql immutable parallel safe as $$
  select setweight(to_tsvector('catalog.words', coalesce(a, '')), 'A') ||
         setweight(to_tsvector('catalog.words', coalesce(b, '')), 'B') ||
         setweight(to_tsvector('catalog.words', coalesce(c, '')), 'C') ||
         setweight(to_tsvector('catalog.words', left(coalesce(d, ''), 100000)), 'D') ||
         to_tsvector('catalog.plain', left(concat_ws(' ', a, b, c), 20000)) $$;

-- Null when there is nothing to search for.
create function catalog.query(q text) returns tsquery
  language plpgsql immutable strict parallel safe as $$
declare
  m text[];
  r tsquery;
  p tsquery;
  alt bool := false;
begin
  for m in select regexp_matches(q, '(-?)(?:"([^"]*)"|(\S+))', 'g') loop
    if m[2] is not null then
      p := phraseto_tsquery('catalog.words', m[2]);
    elsif m[3] = 'OR' then
      alt := r is not null;
      continue;
    elsif m[3] ~ '^[[:alnum:]_-]{2,}\*$' then
      p := to_tsquery('catalog.plain', '''' || rtrim(m[3], '*') || ''':*');
    else
      p := plainto_tsquery('catalog.words', m[3]);
    end if;
    if numnode(p) = 0 then
      continue;
    end if;
    if m[1] = '-' then
      p := !!p;
    end if;
    r := case when r is null then p when alt then r || p else r && p end;
    alt := false;
  end loop;
  return r;
end $$;

create table catalog.skill (
  id               catalog.slug primary key,
  name             text not null,
  description      text not null,
  version          text not null,
  category         text not null check (category in
                     ('data', 'document', 'devops', 'frontend', 'design', 'custom')),
  trigger_patterns text[] not null default '{}',
  asset_path       text not null unique,
  dependencies     text[] not null default '{}',
  author           text not null,
  tags             text[] not null default '{}',
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  content          text,
  content_sha256   text,
  search           tsvector generated always as (catalog.vector(
                     id || ' ' || name,
                     catalog.join(tags) || ' ' || catalog.join(trigger_patterns),
                     description, content)) stored
);
create index skill_search on catalog.skill using gin (search);
create index skill_tags on catalog.skill using gin (tags);
create index skill_updated on catalog.skill (updated_at desc, id);
create index skill_category on catalog.skill (category);

create table catalog.command (
  id                    catalog.slug primary key,
  name                  text not null,
  description           text not null,
  author                text not null,
  tags                  text[] not null default '{}',
  category              text not null,
  shell                 text not null check (shell in ('bash', 'python', 'node')),
  script_template       text not null,
  parameters            jsonb not null default '[]',
  requires_confirmation bool not null default false,
  created_at            timestamptz not null default now(),
  updated_at            timestamptz not null default now(),
  search                tsvector generated always as (catalog.vector(
                          id || ' ' || name, catalog.join(tags) || ' ' || category,
                          description, null)) stored
);
create index command_search on catalog.command using gin (search);
create index command_tags on catalog.command using gin (tags);
create index command_updated on catalog.command (updated_at desc, id);
create index command_category on catalog.command (category);

create table catalog.subagent (
  id            catalog.slug primary key,
  name          text not null,
  description   text not null,
  author        text not null,
  tags          text[] not null default '{}',
  system_prompt text not null,
  model         text not null,
  tools_allowed text[] not null default '{}',
  max_turns     int not null default 5 check (max_turns between 1 and 50),
  input_schema  jsonb not null default '{}',
  output_format text not null default 'markdown' check (output_format in
                  ('text', 'json', 'markdown')),
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  search        tsvector generated always as (catalog.vector(
                  id || ' ' || name, catalog.join(tags), description, system_prompt)) stored
);
create index subagent_search on catalog.subagent using gin (search);
create index subagent_tags on catalog.subagent using gin (tags);
create index subagent_updated on catalog.subagent (updated_at desc, id);

create table catalog.mcp (
  id               catalog.slug primary key,
  name             text not null,
  description      text not null,
  author           text not null,
  tags             text[] not null default '{}',
  transport        text not null check (transport in ('streamable-http', 'stdio')),
  endpoint_url     text,
  command          text,
  args             text[] not null default '{}',
  env_vars         jsonb not null default '{}',
  headers          jsonb not null default '{}',
  health_check_url text,
  status           text not null default 'active' check (status in
                     ('active', 'inactive', 'error')),
  tools_exposed    text[] not null default '{}',
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  search           tsvector generated always as (catalog.vector(
                     id || ' ' || name, catalog.join(tags) || ' ' || catalog.join(tools_exposed),
                     description, null)) stored,
  constraint mcp_reached_by check ((transport = 'stdio') = (command is not null)
                               and (transport = 'stdio') = (endpoint_url is null))
);
create index mcp_search on catalog.mcp using gin (search);
create index mcp_tags on catalog.mcp using gin (tags);
create index mcp_updated on catalog.mcp (updated_at desc, id);
create index mcp_status on catalog.mcp (status);

create table catalog.usage_log (
  id          bigint generated always as identity primary key,
  event_id    uuid not null unique,
  tool_name   text not null,
  resource_id text,
  user_key    text not null,
  "timestamp" timestamptz not null,
  duration_ms int not null,
  success     bool not null,
  status      text not null,
  channel     text not null check (channel in ('mcp', 'rest', 'web', 'cli')),
  request_id  text not null
);
create index usage_log_newest on catalog.usage_log ("timestamp" desc, id desc);
create index usage_log_tool on catalog.usage_log (tool_name, "timestamp");
create index usage_log_user on catalog.usage_log (user_key, "timestamp");
