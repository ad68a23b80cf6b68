-- Rows that are written again and again find room on their own page.

-- Each login writes its device anew, each message its conversation and seats. PostgreSQL keeps the old row and puts the
-- new one beside it; on a full page it goes elsewhere, with an entry more in every index. Pages made from now on keep
-- some room; VACUUM FULL gives it to those that are there.
-- only: postgresql
ALTER TABLE devices SET (fillfactor = 85);
-- only: postgresql
ALTER TABLE conversations SET (fillfactor = 85);
-- only: postgresql
ALTER TABLE participants SET (fillfactor = 85);
-- only: postgresql
ALTER TABLE users SET (fillfactor = 90);
