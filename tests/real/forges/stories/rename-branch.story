# A branch under another name is another request; nothing of the old one runs.
not on local: its requests stay open without their branch
not on gitlab: its requests stay open without their branch
ana opens move-www: www = 192.0.2.7
it waits for approval
ana renames the branch move-www to carry-www
move-www is closed
ana opens carry-www: mail = 192.0.2.8
it waits for approval
ben approves it
it merges
BIND still answers www 192.0.2.7
BIND still answers mail 192.0.2.8
