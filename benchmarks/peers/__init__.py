"""The job as others do it: programs that their own authors would recognise, one to a framework."""
