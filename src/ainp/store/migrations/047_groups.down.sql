DROP TABLE IF EXISTS group_members;
DROP TABLE IF EXISTS group_negotiations;
