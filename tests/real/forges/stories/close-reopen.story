# A closed request writes nothing, and goes on when it is opened again.
ana opens move-www: www = 192.0.2.7
it waits for approval
ana closes it
it is closed
BIND still answers www 192.0.2.1
ana reopens it
it waits for approval
ben approves it
it merges
