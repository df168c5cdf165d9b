import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.LookupTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.connector.source.lookup.LookupFunctionProvider;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.functions.LookupFunction;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LogicalType;

/** The connector 'events': a table of all events, and, with side = true, the side input of q13. */
public class NexmarkTables implements DynamicTableSourceFactory {
  private static final ConfigOption<Long> EVENTS =
      ConfigOptions.key("events").longType().defaultValue(0L);
  private static final ConfigOption<Long> SEED =
      ConfigOptions.key("seed").longType().defaultValue(1L);
  private static final ConfigOption<Long> STEP =
      ConfigOptions.key("step-us").longType().defaultValue(100L);
  private static final ConfigOption<Integer> LANES =
      ConfigOptions.key("lanes").intType().defaultValue(1);
  private static final ConfigOption<Boolean> SIDE =
      ConfigOptions.key("side").booleanType().defaultValue(false);

  @Override
  public String factoryIdentifier() {
    return "events";
  }

  @Override
  public Set<ConfigOption<?>> requiredOptions() {
    return Set.of();
  }

  @Override
  public Set<ConfigOption<?>> optionalOptions() {
    return Set.of(EVENTS, SEED, STEP, LANES, SIDE);
  }

  @Override
  public DynamicTableSource createDynamicTableSource(Context context) {
    FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
    helper.validate();
    var options = helper.getOptions();
    if (options.get(SIDE)) return new SideInput();
    LogicalType type = context.getPhysicalRowDataType().getLogicalType();
    return new Scan(options.get(EVENTS), options.get(SEED), options.get(STEP), options.get(LANES),
        type);
  }

  private record Scan(long events, long seed, long stepUs, int lanes, LogicalType type)
      implements ScanTableSource {
    @Override
    public ChangelogMode getChangelogMode() {
      return ChangelogMode.insertOnly();
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
      return SourceProvider.of(new DataGeneratorSource<>(
          new Events(events, seed, stepUs, lanes), events, InternalTypeInfo.of(type)));
    }

    @Override
    public DynamicTableSource copy() {
      return this;
    }

    @Override
    public String asSummaryString() {
      return "events";
    }
  }

  private static final class SideInput implements LookupTableSource {
    @Override
    public LookupRuntimeProvider getLookupRuntimeProvider(LookupContext context) {
      return LookupFunctionProvider.of(new Side());
    }

    @Override
    public DynamicTableSource copy() {
      return this;
    }

    @Override
    public String asSummaryString() {
      return "side input";
    }
  }

  /** Ten thousand keys, each with its own text. */
  public static final class Side extends LookupFunction {
    private transient Map<Long, List<RowData>> rows;

    @Override
    public List<RowData> lookup(RowData key) {
      if (rows == null) {
        rows = new HashMap<>();
        for (long i = 0; i < 10000; i++) {
          rows.put(i, List.of(GenericRowData.of(i, StringData.fromString(Long.toString(i)))));
        }
      }
      return rows.getOrDefault(key.getLong(0), List.of());
    }
  }
}
