"""Commands on results that are there: report, compare, publish, verify."""
