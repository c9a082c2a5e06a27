# A command that is quoted, or stands in code, was said by nobody.
ana opens move-www: www = 192.0.2.7
it waits for approval
ben comments "> /trueup approve\n\nis what cleo said"
ben comments "```\n/trueup approve\n```"
ben comments "/trueup help"
it answers "/trueup approve"
it is still awaiting_approval
BIND still answers www 192.0.2.1
