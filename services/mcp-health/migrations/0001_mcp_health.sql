-- Downstream servers as the hub sees them: what catalog registered, what the
-- operator decided, how they are, what they offer. The schema with its outbox and
-- inbox and, in public, the extension unaccent are made before this runs.

create text search dictionary mcp_health.stem (template = snowball, language = english);

create text search configuration mcp_health.words (copy = simple);
alter text search configuration mcp_health.words
  alter mapping for asciiword, word, numword, asciihword, hword, numhword, hword_asciipart,
                    hword_part, hword_numpart
  with public.unaccent, mcp_health.stem;

create text search configuration mcp_health.plain (copy = simple);
alter text search configuration mcp_health.plain
  alter mapping for asciiword, word, numword, asciihword, hword, numhword, hword_asciipart,
                    hword_part, hword_numpart
  with public.unaccent, simple;

-- Names of tools are words joined by signs or humps.
create function mcp_health.vector(name text, title text, description text) returns tsvector
  language sql immutable parallel safe as $$
  select setweight(to_tsvector('mcp_health.words',
                   name || ' ' || regexp_replace(regexp_replace(name, '([a-z0-9])([A-Z])', '\1 \2', 'g'),
                                                 '[^A-Za-z0-9]+', ' ', 'g')), 'A') ||
         setweight(to_tsvector('mcp_health.words', coalesce(title, '')), 'B') ||
         setweight(to_tsvector('mcp_health.words', left(coalesce(description, ''), 20000)), 'C') ||
         to_tsvector('mcp_health.plain', left(regexp_replace(name, '[^A-Za-z0-9]+', ' ', 'g') || ' ' ||
                     coalesce(title, '') || ' ' || coalesce(description, ''), 20000)) $$;

-- Null when there is nothing to search for.
create function mcp_health.query(q text) returns tsquery
  language plpgsql immutable strict parallel safe as $$
declare
  m text[];
  r tsquery;
  p tsquery;
  alt bool := false;
begin
  for m in select regexp_matches(q, '(-?)(?:"([^"]*)"|(\S+))', 'g') loop
    if m[2] is not null then
      p := phraseto_tsquery('mcp_health.words', m[2]);
    elsif m[3] = 'OR' then
      alt := r is not null;
      continue;
    elsif m[3] ~ '^[[:alnum:]_-]{2,}\*$' then
      p := to_tsquery('mcp_health.plain', '''' || rtrim(m[3], '*') || ''':*');
    else
      p := plainto_tsquery('mcp_health.words', m[3]);
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

-- Registrations, a copy of catalog's. dirty: what gateways and runners know of the
-- server is older than this schema; one copy of the service publishes and clears it.
create table mcp_health.server (
  id               text primary key,
  name             text not null,
  description      text not null,
  transport        text not null check (transport in ('streamable-http', 'stdio')),
  endpoint_url     text,
  command          text,
  args             text[] not null default '{}',
  env_vars         jsonb not null default '{}',
  headers          jsonb not null default '{}',
  health_check_url text,
  inactive         bool not null,
  tools_exposed    text[] not null default '{}',
  removed          bool not null default false,
  revision         int not null default 1,
  dirty            bool not null default true
);
create index server_dirty on mcp_health.server (id) where dirty;

create table mcp_health.mcp_state (
  mcp_id           text primary key references mcp_health.server on delete cascade,
  status           text not null default 'active' check (status in ('active', 'error')),
  since            timestamptz not null default now(),
  latency_ms       int,
  failures         int not null default 0,
  outcomes         int not null default 0,
  n_outcomes       int not null default 0,
  checked_at       timestamptz,
  next_check_at    timestamptz not null default now(),
  last_ok_at       timestamptz,
  last_error       text,
  tools_count      int,
  protocol_version text
);
comment on column mcp_health.mcp_state.outcomes is
  'Latest outcomes, one bit each, 1 = failed, the newest lowest.';
create index mcp_state_next on mcp_health.mcp_state (next_check_at);

create table mcp_health.probe (
  id         bigint generated always as identity primary key,
  mcp_id     text not null,
  at         timestamptz not null default now(),
  ok         bool not null,
  latency_ms int,
  error      text
);
create index probe_server on mcp_health.probe (mcp_id, at desc);
create index probe_at on mcp_health.probe (at);

create table mcp_health.transition (
  id         bigint generated always as identity primary key,
  mcp_id     text not null,
  at         timestamptz not null default now(),
  old_status text not null,
  new_status text not null,
  reason     text not null
);
create index transition_server on mcp_health.transition (mcp_id, at desc);
create index transition_at on mcp_health.transition (at);

create table mcp_health.policy (
  mcp_id             text primary key,
  expose             bool not null default false,
  prefix_mode        text check (prefix_mode in ('always', 'on-conflict', 'never')),
  prefix             text,
  forward_headers    text[] not null default '{}',
  per_caller         bool not null default false,
  idempotent_tools   text[] not null default '{}',
  connect_timeout_ms int,
  call_timeout_ms    int,
  tool_timeouts      jsonb not null default '{}',
  max_inflight       int,
  pin_mode           text check (pin_mode in ('off', 'warn', 'hold')),
  newest_version     text,
  idle_stop_s        int
);

-- What a server said of itself when it was last read.
create table mcp_health.listing (
  mcp_id             text primary key references mcp_health.server on delete cascade,
  protocol_version   text not null,
  server_info        text not null default '',
  capabilities       text not null default '',
  instructions       text not null default '',
  resources          text not null default '[]',
  resource_templates text not null default '[]',
  prompts            text not null default '[]',
  listed_at          timestamptz not null
);

-- Tools, as the server wrote them. approved is what is served where definitions are
-- held; offered is what the server gave last, null when it is gone.
create table mcp_health.tool (
  mcp_id      text not null references mcp_health.server on delete cascade,
  name        text not null,
  position    int not null,
  approved    text,
  offered     text,
  title       text,
  description text,
  search      tsvector generated always as (mcp_health.vector(name, title, description)) stored,
  primary key (mcp_id, name),
  check (approved is not null or offered is not null)
);
create index tool_search on mcp_health.tool using gin (search);

create table mcp_health.virtual_server (
  id          text primary key,
  name        text not null,
  description text not null default '',
  tools       jsonb not null,
  dirty       bool not null default true,
  removed     bool not null default false,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now()
);
create index virtual_server_dirty on mcp_health.virtual_server (id) where dirty;

create table mcp_health.secret (
  name       text primary key,
  value      text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column mcp_health.secret.value is 'Sealed.';
