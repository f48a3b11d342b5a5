# Prints each value as jq does. The values' names are the arguments.
$ARGS.positional[] as $name | $ENV[$name] | {
  "-r": .,
  "tojson": tojson,
  "tojson of tojson": (tojson | tojson),
  "@uri": @uri,
  "@sh": @sh,
  "@html": @html,
  "@base64": @base64,
  "@csv": ([.] | @csv),
  "@tsv": ([.] | @tsv)
} | to_entries[] | "\n=-=-=jq: \(.key) \($name)=-=-=\n\(.value)"
