// node: Amazon's SDK for JavaScript, which sends checksums in trailers. Its checks print the lines that harness.py prints.
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import * as s3 from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const LIMIT = 60; // seconds that a check may take
const MB = 1 << 20;
const site = (endpoint) => new s3.S3({ endpoint, region: "us-east-1", forcePathStyle: true, maxAttempts: 1 });
const a = site(process.env.ENDPOINT_A);
const b = site(process.env.ENDPOINT_B);

const checks = [];
const check = (name, run) => checks.push([name, run]);

function equal(got, want, what = "value") {
  const [left, right] = [JSON.stringify(got), JSON.stringify(want)];
  if (left !== right) throw new Error(`${what}: got ${left}, want ${right}`);
}

async function refused(status, code, call) {
  const error = await call.then(() => null, (error) => error);
  equal([error?.$metadata?.httpStatusCode, error?.name], [status, code], "refusal");
}

// Tries for 10 s: so long the other site may take to have what one site has.
async function eventually(test) {
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      return await test();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => setTimeout(done, 20));
    }
  }
}

async function bucket(versioned = false) {
  const Bucket = `t-${randomBytes(8).toString("hex")}`;
  await a.createBucket({ Bucket });
  if (versioned) await a.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: "Enabled" } });
  await eventually(async () => equal((await b.getBucketVersioning({ Bucket })).Status, versioned ? "Enabled" : undefined));
  return Bucket;
}

const bytes = async (answer) => Buffer.from(await answer.Body.transformToByteArray());
const text = async (answer) => (await bytes(answer)).toString();

check("put-get-range", async () => {
  const one = { Bucket: await bucket(), Key: "a b+ü%/k" };
  const sent = { ContentType: "text/x", CacheControl: "no-store", Metadata: { one: "1" } };
  const { ETag } = await a.putObject({ ...one, Body: "0123456789", ...sent });
  const got = await a.getObject(one);
  equal([got.ETag, got.ContentType, got.CacheControl, got.Metadata], [ETag, "text/x", "no-store", { one: "1" }]);
  equal(await text(got), "0123456789");
  const range = await a.getObject({ ...one, Range: "bytes=2-4" });
  equal([range.ContentRange, await text(range)], ["bytes 2-4/10", "234"], "range");
  await refused(404, "NoSuchKey", a.getObject({ ...one, Key: "none" }));
  await refused(404, "NotFound", a.headObject({ ...one, Key: "none" }));
});

check("streamed-bodies", async () => {
  const one = { Bucket: await bucket(), Key: "k" };
  const body = randomBytes(300_000);
  for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
    const Body = Readable.from([body.subarray(0, 100_000), body.subarray(100_000)]);
    await a.putObject({ ...one, Body, ContentLength: body.length, ChecksumAlgorithm });
    const got = await a.getObject({ ...one, ChecksumMode: "ENABLED" });
    equal(typeof got[`Checksum${ChecksumAlgorithm}`], "string", ChecksumAlgorithm);
    equal((await bytes(got)).equals(body), true, ChecksumAlgorithm);
  }
});

check("bad-checksum", async () => {
  const one = { Bucket: await bucket(), Key: "k" };
  await refused(400, "BadDigest", a.putObject({ ...one, Body: "x", ChecksumCRC32: "AAAAAA==" }));
  await refused(404, "NoSuchKey", a.getObject(one));
});

check("multipart-and-copy", async () => {
  const one = { Bucket: await bucket(), Key: "k" };
  const body = randomBytes(17 * MB);
  const done = await new Upload({ client: a, params: { ...one, Body: Readable.from([body]) }, partSize: 5 * MB }).done();
  equal(done.ETag.endsWith('-4"'), true, done.ETag);
  equal((await bytes(await a.getObject(one))).equals(body), true, "bytes");
  await a.copyObject({ ...one, Key: "copy ü", CopySource: `/${one.Bucket}/k` });
  const { ETag } = await a.headObject({ ...one, Key: "copy ü" });
  equal(ETag, `"${createHash("md5").update(body).digest("hex")}"`, "ETag of the copy");
  const told = await a.getObjectAttributes({ ...one, ObjectAttributes: ["ObjectParts", "ObjectSize"] });
  equal([told.ObjectParts.TotalPartsCount, told.ObjectSize], [4, body.length], "attributes");
});

check("list-and-delete", async () => {
  const Bucket = await bucket();
  const keys = ["a", "b/1", "b/2", "c d+%", "ü"];
  for (const Key of keys) await a.putObject({ Bucket, Key, Body: "" });
  const seen = [];
  for await (const page of s3.paginateListObjectsV2({ client: a, pageSize: 2 }, { Bucket }))
    seen.push(...page.Contents.map((entry) => entry.Key));
  equal(seen, keys, "pages");
  const folded = await a.listObjectsV2({ Bucket, Delimiter: "/" });
  equal(folded.CommonPrefixes, [{ Prefix: "b/" }], "common prefixes");
  await a.deleteObject({ Bucket, Key: "a" });
  const gone = await a.deleteObjects({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } });
  equal([gone.Deleted.length, gone.Errors], [keys.length, undefined], "deleted");
  equal((await a.listObjectsV2({ Bucket })).KeyCount, 0, "left");
});

check("conditional-put", async () => {
  const one = { Bucket: await bucket(), Key: "k" };
  const { ETag } = await a.putObject({ ...one, Body: "1", IfNoneMatch: "*" });
  await refused(412, "PreconditionFailed", a.putObject({ ...one, Body: "2", IfNoneMatch: "*" }));
  await a.putObject({ ...one, Body: "3", IfMatch: ETag });
  await refused(412, "PreconditionFailed", a.putObject({ ...one, Body: "4", IfMatch: ETag }));
  equal(await text(await a.getObject(one)), "3");
});

check("presigned", async () => {
  const one = { Bucket: await bucket(), Key: "a b+ü" };
  const put = await getSignedUrl(a, new s3.PutObjectCommand(one), { expiresIn: 60 });
  equal((await fetch(put, { method: "PUT", body: "abc" })).status, 200, "PUT");
  const get = await getSignedUrl(a, new s3.GetObjectCommand(one), { expiresIn: 60 });
  equal(await (await fetch(get)).text(), "abc", "GET");
});

check("versions-at-both-sites", async () => {
  const Bucket = await bucket(true);
  const one = { Bucket, Key: "k" };
  const ids = [];
  for (const n of ["1", "2"]) ids.push((await a.putObject({ ...one, Body: n, Tagging: `n=${n}` })).VersionId);
  ids.push((await a.deleteObject(one)).VersionId);
  equal(await text(await a.getObject({ ...one, VersionId: ids[0] })), "1", "old");
  await refused(404, "NoSuchKey", a.getObject(one));
  const told = async (client) => {
    const { Versions = [], DeleteMarkers = [] } = await client.listObjectVersions({ Bucket });
    const heads = await Promise.all(Versions.map(async ({ VersionId }) => {
      const { $metadata, ...head } = await client.headObject({ ...one, VersionId });
      const { TagSet } = await client.getObjectTagging({ ...one, VersionId });
      return [head, TagSet, await text(await client.getObject({ ...one, VersionId }))];
    }));
    return { Versions, DeleteMarkers, heads };
  };
  const here = await told(a);
  equal([...here.DeleteMarkers, ...here.Versions].map((entry) => entry.VersionId), ids.reverse(), "newest first");
  await eventually(async () => equal(await told(b), here, "at the other site"));
});

let failed = false;
for (const [name, run] of checks) {
  const start = performance.now();
  const late = new Promise((_, fail) => setTimeout(fail, LIMIT * 1000, new Error(`not done after ${LIMIT} s`)).unref());
  const error = await Promise.race([run(), late]).then(() => null, (error) => error);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${error ? "FAIL " : "pass "} ${"node".padEnd(10)} ${name.padEnd(38)} ${seconds.padStart(5)}s`);
  if (error) console.log(`${error.name}: ${error.message}`.trim().replace(/^/gm, "      "));
  failed ||= error !== null;
}
process.exit(failed ? 1 : 0);
