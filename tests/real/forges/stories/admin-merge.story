# A merge past us is an alarm: nothing of it ran.
not on local: nobody but the server moves its governed branch
ana opens move-www: www = 192.0.2.7
it waits for approval
root merges it by hand
it tells "by `root`"
BIND still answers www 192.0.2.1
