#!lua flags=allow-oom
-- Runs also when the server's memory is full: who lives, settles or trims is what makes room again.
