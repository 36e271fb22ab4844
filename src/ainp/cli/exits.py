"""How commands end, besides with 0."""

REFUSED = 1  # an answer: something is to be done, something is wrong, somebody has said no
CANNOT = 2  # as a wrong command line
INTERRUPTED = 130  # what a shell says of a program that Ctrl-C has ended
