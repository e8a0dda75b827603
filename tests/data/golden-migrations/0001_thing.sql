create table thing (id text primary key, name text not null);
