// Follow a job as a page does, and print the data of its events as one list; the job's end ends it.
const told = [];
const source = new EventSource(process.argv[2]);

source.onmessage = ({ data }) => {
  told.push(data);
  if (JSON.parse(data).status === "done") {
    source.close();
    process.stdout.write(JSON.stringify(told));
  }
};
source.onerror = () => process.exit(1);
