# A branch that is made anew is planned anew.
ana opens move-www: www = 192.0.2.7
it waits for approval
ana pushes move-www anew: mail = 192.0.2.8
it waits for approval
it says "192.0.2.8"
ben approves it
it merges
BIND still answers mail 192.0.2.8
BIND still answers www 192.0.2.1
