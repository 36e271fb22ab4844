INSERT INTO rows (body) VALUES ('a row of the size of a small statement, some eighty characters and a little more');
