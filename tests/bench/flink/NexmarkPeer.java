import java.io.BufferedWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

import com.sun.management.OperatingSystemMXBean;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableDescriptor;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.functions.ScalarFunction;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.CloseableIterator;

/**
 * One Nexmark query in Flink, in one process: `NexmarkPeer SQL-FOLDER QUERY EVENTS SEED STEP-US
 * LANES BACKEND [ANSWER]`.
 *
 * With ANSWER the rows that are left at the end are written there. Otherwise the query runs twice
 * into nothing: on a tenth of the events, so that the machine is warm, and then measured. The last
 * line of stdout is "events wall-seconds cpu-seconds".
 */
public class NexmarkPeer {
  /** How often a character is in a text. */
  public static class CountChar extends ScalarFunction {
    public long eval(String text, String wanted) {
      long count = 0;
      for (int i = 0; i < text.length(); i++) if (text.charAt(i) == wanted.charAt(0)) count++;
      return count;
    }
  }

  private static TableEnvironment open(String[] args, long events) throws Exception {
    Configuration conf = new Configuration();
    conf.setString("parallelism.default", args[5]);
    conf.setString("execution.checkpointing.interval", "10 s");
    conf.setString("execution.checkpointing.dir",
        Files.createTempDirectory("checkpoints").toUri().toString());
    conf.setString("state.backend.type", args[6]);
    conf.setString("pipeline.object-reuse", "true");
    conf.setString("taskmanager.memory.managed.size", "1g");
    conf.setString("taskmanager.numberOfTaskSlots", args[5]);
    conf.setString("table.local-time-zone", "UTC");
    conf.setString("table.optimizer.agg-phase-strategy", "AUTO");
    conf.setString("table.exec.mini-batch.enabled", "true");
    conf.setString("table.exec.mini-batch.allow-latency", "2s");
    conf.setString("table.exec.mini-batch.size", "50000");
    conf.setString("table.optimizer.distinct-agg.split.enabled", "true");
    TableEnvironment env = TableEnvironment.create(
        EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(conf).build());
    env.createTemporarySystemFunction("count_char", CountChar.class);
    String setup = Files.readString(Path.of(args[0], "setup.sql"))
        .replace("${EVENTS}", Long.toString(events)).replace("${SEED}", args[3])
        .replace("${STEP_US}", args[4]).replace("${LANES}", args[5]);
    for (String statement : setup.split(";")) {
      if (!statement.isBlank()) env.executeSql(statement);
    }
    return env;
  }

  private static String query(String[] args) throws Exception {
    return Files.readString(Path.of(args[0], args[1] + ".sql")).replace(";", "");
  }

  private static void run(String[] args, long events) throws Exception {
    TableDescriptor nowhere = TableDescriptor.forConnector("blackhole").build();
    open(args, events).sqlQuery(query(args)).executeInsert(nowhere).await();
  }

  /** All rows that were not taken back, one a line, fields as Flink shows them. */
  private static void answer(String[] args, long events) throws Exception {
    Map<String, Integer> rows = new HashMap<>();
    TableEnvironment env = open(args, events);
    try (CloseableIterator<Row> at = env.sqlQuery(query(args)).execute().collect()) {
      while (at.hasNext()) {
        Row row = at.next();
        RowKind kind = row.getKind();
        boolean gone = kind == RowKind.DELETE || kind == RowKind.UPDATE_BEFORE;
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < row.getArity(); i++) {
          text.append(i > 0 ? "\t" : "").append(row.getField(i));
        }
        rows.merge(text.toString(), gone ? -1 : 1, Integer::sum);
      }
    }
    try (BufferedWriter out = Files.newBufferedWriter(Path.of(args[7]))) {
      for (Map.Entry<String, Integer> row : rows.entrySet()) {
        for (int i = 0; i < row.getValue(); i++) out.write(row.getKey() + "\n");
      }
    }
  }

  public static void main(String[] args) throws Exception {
    long events = Long.parseLong(args[2]);
    if (args.length > 7) {
      answer(args, events);
      System.exit(0);
    }
    OperatingSystemMXBean machine =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    run(args, events / 10);
    long wall = System.nanoTime(), cpu = machine.getProcessCpuTime();
    run(args, events);
    System.out.printf(Locale.ROOT, "%d %.3f %.3f%n", events, (System.nanoTime() - wall) / 1e9,
        (machine.getProcessCpuTime() - cpu) / 1e9);
    System.exit(0);
  }
}
