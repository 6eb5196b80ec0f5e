"""boto3: the broadest of the clients. What it checks is in the folder `boto3_checks`, an idea a file."""
from harness import main

from boto3_checks import access, bodies, buckets, conditions, copies, deletes, forms, keys, listing, multipart, reads
from boto3_checks import sites, tagging, versions  # noqa: F401 (the import is what registers the checks)

main("boto3")
