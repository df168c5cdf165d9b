import java.nio.charset.StandardCharsets;

import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * The events of runtime/connector/nexmark_event.c and nexmark_text.c once more, so that both
 * engines are given the same. Times are cut to milliseconds, for Flink has no finer event time.
 */
public class Events implements GeneratorFunction<Long, RowData> {
  private static final long A = 0x243f6a8885a308d3L, B = 0xb7e151628aed2a6bL;
  private static final long C = 0x6a09e667f3bcc909L, D = 0xbb67ae8584caa73bL;

  private static final int DELAY = 0, BLOCK = 1, AUCTION_OF_BID = 2, BIDDER = 3, SELLER = 4;
  private static final int PRICE = 5, RESERVE = 6, CATEGORY = 7, EXPIRES = 8, CHANNEL = 9, URL = 10;
  private static final int NAME = 11, EMAIL = 12, CARD = 13, CITY = 14, STATE = 15;
  private static final int DESCRIPTION = 16, EXTRA = 17, POOL = 18, DRAWS = 19;

  private static final int POOL_BYTES = 65536, SLACK = 1024, CHANNELS = 10000;
  private static final long BASE_US = 1436918400000000L, FIRST_ID = 1000;
  private static final String[] FIRST_NAMES = {
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"};
  private static final String[] LAST_NAMES = {
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"};
  private static final String[] CITIES = {
    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle",
    "Kent", "Cheyenne"};
  private static final String[] STATES = {"AZ", "CA", "ID", "OR", "WA", "WY"};
  private static final String[] HOT_CHANNELS = {"Google", "Facebook", "Baidu", "Apple"};

  private final long events, stepUs, seed;
  private final int lanes;
  private transient long[] draws;
  private transient long[] prices;
  private transient long groups;
  private transient byte[] letters, words;
  private transient StringData[] names, cities, states, channels, urls;

  /** Each of `lanes` readers is given an equal run of numbers, and makes every lanes-th event. */
  public Events(long events, long seed, long stepUs, int lanes) {
    this.events = events;
    this.seed = seed;
    this.stepUs = stepUs;
    this.lanes = lanes;
  }

  // ---------------------------------------------------------------- numbers at random

  private static long high(long a, long b) {
    return Math.multiplyHigh(a, b) + ((a >> 63) & b) + ((b >> 63) & a);
  }

  private static long fold(long a, long b) {
    return a * b ^ high(a, b);
  }

  private static long hash(long value) {
    return fold(fold(value ^ A, B), C);
  }

  private static long combine(long hash, long other) {
    return fold(hash ^ C, other ^ D) + A;
  }

  private long bits(int draw, long number) {
    return hash(draws[draw] + number);
  }

  private static long pick(long bits, long limit) {
    return high(bits, limit);
  }

  // ---------------------------------------------------------------- tables

  private void start() {
    draws = new long[DRAWS];
    for (int d = 0; d < DRAWS; d++) draws[d] = combine(hash(seed), d);
    prices = new long[1025];
    double price = 100;
    for (int i = 0; i <= 1024; i++) {
      prices[i] = (long) (price + 0.5);
      price *= 1.0135831333340657;
    }
    groups = 4000000 / 10 / stepUs;
    letters = new byte[POOL_BYTES + SLACK];
    words = new byte[POOL_BYTES + SLACK];
    for (int i = 0; i < letters.length; i++) {
      long bits = hash(draws[POOL] + i);
      letters[i] = (byte) ('a' + pick(bits, 26));
      boolean blank = (bits & 0xffffffffL) % 13 == 0 && i > 0 && words[i - 1] != ' ';
      words[i] = blank ? (byte) ' ' : letters[i];
    }
    names = new StringData[FIRST_NAMES.length * LAST_NAMES.length];
    for (int i = 0; i < names.length; i++) {
      names[i] = StringData.fromString(
          FIRST_NAMES[i / LAST_NAMES.length] + " " + LAST_NAMES[i % LAST_NAMES.length]);
    }
    cities = texts(CITIES);
    states = texts(STATES);
    channels = new StringData[CHANNELS + HOT_CHANNELS.length];
    urls = new StringData[channels.length];
    for (int i = 0; i < channels.length; i++) {
      channels[i] = StringData.fromString(
          i < CHANNELS ? "channel-" + i : HOT_CHANNELS[i - CHANNELS]);
      urls[i] = StringData.fromString(url(i));
    }
  }

  private static StringData[] texts(String[] from) {
    StringData[] to = new StringData[from.length];
    for (int i = 0; i < from.length; i++) to[i] = StringData.fromString(from[i]);
    return to;
  }

  private String url(int channel) {
    long bits = bits(URL, channel);
    boolean without = Long.remainderUnsigned(bits, 10) == 0;
    StringBuilder text = new StringBuilder("https://www.nexmark.com/");
    for (int d = 0; d < 3; d++) {
      bits = hash(bits);
      int size = 3 + (int) (bits & 1), from = (int) pick(bits, POOL_BYTES);
      for (int i = 0; i < size; i++) {
        text.append(words[from + i] == ' ' ? '_' : (char) words[from + i]);
      }
      text.append('/');
    }
    text.append("item.htm?query=1");
    if (channel < CHANNELS && !without) {
      text.append("&channel_id=").append(Integer.reverse(channel) >>> 1);
    }
    return text.toString();
  }

  // ---------------------------------------------------------------- parts of events

  private long timeUs(long number) {
    long group = number / 10, nth = number - group * 10;
    if (nth != pick(bits(DELAY, group), 10) || groups == 0) return BASE_US + number * stepUs;
    long block = group / groups, at = group - block * groups;
    long shift = pick(bits(BLOCK, block), groups), factor = groups % 953 == 0 ? 1 : 953;
    long other = block * groups + (at * factor + shift) % groups;
    return BASE_US + other * 10 * stepUs + stepUs / 2;
  }

  private static TimestampData timestamp(long us) {
    return TimestampData.fromEpochMillis(us / 1000);
  }

  private long price(long bits) {
    long at = bits >>> 22;
    int step = (int) (at >>> 32);
    return prices[step] + ((prices[step + 1] - prices[step]) * (at & 0xffffffffL) >>> 32);
  }

  private static long person(long bits, long epoch, long hot) {
    long persons = epoch + 1, active = Math.min(persons, 1000);
    long some = persons - active + pick(bits, active + 10);
    return FIRST_ID + ((bits & 3) != 0 ? epoch / 100 * 100 + hot : some);
  }

  private BinaryStringData words(int draw, long number, int limit) {
    long bits = bits(draw, number);
    int size = 3 + (int) ((bits & 0xffffffffL) % (limit - 3));
    int from = (int) pick(bits, POOL_BYTES);
    if (words[from] == ' ') {
      from++;
      size--;
    }
    if (words[from + size - 1] == ' ') size--;
    return BinaryStringData.fromBytes(words, from, size);
  }

  private BinaryStringData extra(long number, int taken, int target) {
    long bits = bits(EXTRA, number);
    int wanted = Math.max(target - taken, 0), delta = (wanted * 2 + 5) / 10;
    int size = wanted - delta;
    if (delta > 0) size += (int) ((bits & 0xffffffffL) * (2L * delta) >>> 32);
    return BinaryStringData.fromBytes(letters, (int) pick(bits, POOL_BYTES), size);
  }

  private StringData email(long number) {
    long bits = bits(EMAIL, number);
    int user = 3 + (int) (bits & 3), host = 3 + (int) (bits >>> 2 & 1);
    byte[] text = new byte[user + host + 5];
    System.arraycopy(letters, (int) pick(bits, POOL_BYTES), text, 0, user);
    text[user] = '@';
    System.arraycopy(letters, (int) pick(hash(bits), POOL_BYTES), text, user + 1, host);
    System.arraycopy(".com".getBytes(StandardCharsets.US_ASCII), 0, text, user + 1 + host, 4);
    return StringData.fromBytes(text);
  }

  private StringData card(long number) {
    long bits = bits(CARD, number);
    byte[] text = new byte[19];
    for (int i = 0; i < text.length; i++) {
      if (i % 5 == 4) {
        text[i] = ' ';
        continue;
      }
      text[i] = (byte) ('0' + pick(bits, 10));
      bits *= 10;
    }
    return StringData.fromBytes(text);
  }

  // ---------------------------------------------------------------- events

  private RowData person(long number) {
    StringData name = names[(int) pick(bits(NAME, number), names.length)];
    StringData email = email(number);
    StringData city = cities[(int) pick(bits(CITY, number), cities.length)];
    int taken = 8 + size(name) + size(email) + 19 + size(city) + 2;
    return GenericRowData.of(FIRST_ID + number / 50, name, email, card(number), city,
        states[(int) pick(bits(STATE, number), states.length)], timestamp(timeUs(number)),
        extra(number, taken, 200));
  }

  private static int size(StringData text) {
    return ((BinaryStringData) text).getSizeInBytes();
  }

  private RowData auction(long number) {
    long epoch = number / 50;
    BinaryStringData item = words(NAME, number, 20);
    BinaryStringData description = words(DESCRIPTION, number, 100);
    long first = price(bits(PRICE, number));
    long timeUs = timeUs(number);
    long openUs = 1000 + pick(bits(EXPIRES, number), 2 * stepUs * (100 * 50 / 3));
    return GenericRowData.of(FIRST_ID + epoch * 3 + (number - epoch * 50 - 1), item, description,
        first, first + price(bits(RESERVE, number)), timestamp(timeUs), timestamp(timeUs + openUs),
        person(bits(SELLER, number), epoch, 0), 10 + pick(bits(CATEGORY, number), 5),
        extra(number, 48 + size(item) + size(description), 500));
  }

  private RowData bid(long number) {
    long epoch = number / 50, last = epoch * 3 + 2, first = Math.max(last - 100, 0);
    long bits = bits(AUCTION_OF_BID, number);
    long some = first + pick(bits, last - first + 1 + 10);
    long auction = FIRST_ID + ((bits & 1) != 0 ? last / 100 * 100 : some);
    bits = bits(CHANNEL, number);
    int channel = (int) ((bits & 1) != 0 ? CHANNELS + pick(bits, 4) : pick(bits, CHANNELS));
    return GenericRowData.of(auction, person(bits(BIDDER, number), epoch, 1),
        price(bits(PRICE, number)), channels[channel], urls[channel],
        timestamp(timeUs(number)), extra(number, 32, 100));
  }

  @Override
  public RowData map(Long at) {
    if (draws == null) start();
    long piece = events / lanes, lane = at / piece;
    long number = (at - lane * piece) * lanes + lane;
    long place = number % 50;
    RowData person = place == 0 ? person(number) : null;
    RowData auction = place > 0 && place < 4 ? auction(number) : null;
    RowData bid = place >= 4 ? bid(number) : null;
    return GenericRowData.of(place == 0 ? 0 : place < 4 ? 1 : 2, person, auction, bid);
  }
}
