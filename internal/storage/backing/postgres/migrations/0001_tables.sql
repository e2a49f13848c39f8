-- What a store is: its format, who may write to it and what its rows reach. One row.
create table topgun_store (
    one        boolean primary key default true check (one),
    format     integer not null,
    instance   uuid not null default gen_random_uuid(),
    owner      text not null default '',
    fence      bigint not null default 0,
    holder     text not null default '',
    held_since timestamptz,
    serial     bigint not null default 0,
    lsn        bigint not null default 0,
    positions  bytea not null default ''
);

-- Names of maps. Names and keys are bytes: they may hold NUL and what is no UTF-8, and they are ordered as bytes.
create table topgun_maps (
    id     integer generated always as identity primary key,
    tenant bigint not null,
    name   bytea not null
);
create unique index topgun_maps_name on topgun_maps (tenant, sha256(name));

-- The state of every key. key_digest is the first half of the key's SHA-256: keys may be longer than an index takes.
create table topgun_rows (
    map        integer not null,
    partition  integer not null,
    hash       bigint not null,
    key_digest bytea not null,
    kind       smallint not null,
    seq        bigint not null,
    arrival    bigint not null,
    key        bytea not null,
    state      bytea not null,
    primary key (map, partition, hash, key_digest)
) with (fillfactor = 90); -- so that a new state finds room beside the old one
