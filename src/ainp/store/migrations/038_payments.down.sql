DROP TABLE IF EXISTS payment_receipts;
DROP TABLE IF EXISTS payment_requests;
