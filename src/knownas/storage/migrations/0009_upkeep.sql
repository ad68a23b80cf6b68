-- Work that one process per database does, and apps whose last traces are still to be removed.

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until BIGINT NOT NULL
);

-- A request that was under way when its app was removed may have written into it afterwards.
CREATE TABLE removed_apps (
    id TEXT NOT NULL PRIMARY KEY,
    removed_at BIGINT NOT NULL
);
