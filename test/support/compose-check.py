# Reads compose files, one after the other, strictly; says on a line of each what is wrong, or nothing.
import sys

import compose_spec

for path in sys.argv[1:]:
    options = compose_spec.PyOptions()
    options.apply_merge = True
    try:
        with open(path, encoding="utf-8") as file:
            spec = options.from_yaml(file.read())
        spec.validate()
        print("")
    except Exception as error:
        print(str(error).replace("\n", " "))
